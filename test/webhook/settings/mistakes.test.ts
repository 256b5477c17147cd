import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { variables, type Variable } from '../../../sidecar/config/variables.ts'
import { SettingsError } from '../../../webhook/settings/load.ts'
import { load, mistakesIn, mistakesWith } from './loading.ts'

/** What is appended to settings that are right, and what is said of it. */
type Table = Readonly<Record<string, readonly string[]>>

const SIZE = 'a size in bytes: a positive number, plain or with Ki, Mi or Gi (10485760, 10Mi)'
const TIME = 'a time of at most 24 hours: a number with ms, s or m (500ms, 2s, 1m)'
const NAME = 'has to be a Kubernetes name: lower case letters, digits, hyphens and dots'

function each(table: Table): void {
  for (const [yaml, expected] of Object.entries(table)) {
    test(yaml.replaceAll('\n', '\\n'), () => assert.deepEqual(mistakesWith(yaml), expected))
  }
}

test('an empty file lacks what is required', () => {
  for (const text of ['', '\n', '# nothing but a comment\n', '---\n', '{}', 'null', '\uFEFF']) {
    assert.deepEqual(mistakesIn(text), ['image: is required', 'kafka.brokers: is required'], JSON.stringify(text))
  }
})

test('a file that is no mapping is told so', () => {
  for (const text of ['text', '12', '- image: a', '[]'])
    assert.deepEqual(mistakesIn(text), ['the file: has to be a mapping'])
})

describe('what is no YAML is told with line and column', () => {
  const cases: Table = {
    'image: [a\nkafka: b': [
      'line 2, column 1: Flow sequence in block collection must be sufficiently indented and end with a ]'
    ],
    'image: a\n\tb: c': ['line 2, column 1: Tabs are not allowed as indentation'],
    'image: "a': ['line 1, column 10: Missing closing "quote'],
    'image: a\nkafka: *nothing': ['kafka: is an alias (*) of nothing'],
    'image: !secret a': ['line 1, column 8: Unresolved tag'],
    'image: a\n---\nimage: b': ['the file: has to be a single document (---)'],
    '? {a: b}\n: c': ['line 1: has a key that cannot be one'],
    '__proto__: {a: b}': ['line 1: has a key that cannot be one'],
    'a: &a [*a]': ['the file: is too large or nested too deeply, or has an alias (*) that stands in itself']
  }
  for (const [yaml, expected] of Object.entries(cases)) {
    test(yaml.replaceAll('\n', '\\n'), () => assert.deepEqual(mistakesIn(yaml), expected))
  }

  test('nesting that would end the process', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{a: ', '}'],
      ['- ', ''],
      ['? ', '']
    ] as const) {
      for (const depth of [40, 3000]) {
        const [line] = mistakesIn(`${open.repeat(depth)}x${close.repeat(depth)}`)
        assert.match(line ?? '', /^the file: is too large or nested too deeply/, `${depth} ${open}`)
      }
    }
  })

  test('aliases that multiply end soon', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}]`)
    const begin = performance.now()
    assert.ok(mistakesIn(lines.join('\n')).some(line => line.startsWith('the file: is too large')))
    assert.ok(performance.now() - begin < 1000)
  })
})

test('a key that is there twice is told with both lines', () => {
  assert.deepEqual(mistakesIn('image: a\nkafka:\n  brokers: a:1\n  brokers: b:1\nimage: b'), [
    'kafka.brokers: is there twice, on lines 3 and 4',
    'image: is there twice, on lines 1 and 5'
  ])
})

describe('a key that is no setting, with what was probably meant', () => {
  each({
    'prot: 1': ['prot: is not a setting; did you mean port?'],
    'KUBERNETESVERSION: 1.34': ['KUBERNETESVERSION: is not a setting; did you mean kubernetesVersion?'],
    'zzzzzzzzzz: 1': ['zzzzzzzzzz: is not a setting'],
    'ignorednamespaces: []': ['ignorednamespaces: is not a setting; did you mean ignoredNamespaces?'],
    'journal: {sizelimit: 1Gi, claimTemplate: {}}': [
      'journal.sizelimit: is not a setting; did you mean sizeLimit?',
      'journal.claimTemplate: is not a setting; did you mean claimTemplates?'
    ],
    'gracePeriod: {flsh: 1s}': ['gracePeriod.flsh: is not a setting; did you mean flush?'],
    'securityContext: {runAsUsr: 1}': ['securityContext.runAsUsr: is not a setting; did you mean runAsUser?'],
    'defaults: {topc: a}': ['defaults.topc: is not an annotation; did you mean topic?'],
    'defaults: {inference-logger.io/topic: a}': [
      'defaults.inference-logger.io/topic: is not an annotation; did you mean topic?'
    ],
    'defaults: {toString: a}': ['defaults.toString: is not an annotation'],
    'hasOwnProperty: a': ['hasOwnProperty: is not a setting']
  })
})

describe('something of the wrong kind', () => {
  each({
    'port: [1]': ['port: has to be one value, and no list or mapping'],
    'port: {a: 1}': ['port: has to be one value, and no list or mapping'],
    'defaults: topic': ['defaults: has to be a mapping'],
    'defaults: [topic]': ['defaults: has to be a mapping'],
    'env: [A=b]': ['env: has to be a mapping'],
    'env: {A: [b]}': ['env.A: has to be one value, and no list or mapping'],
    'journal: []': ['journal: has to be a mapping'],
    'imagePullSecrets: a': ['imagePullSecrets: has to be a list'],
    'imagePullSecrets: [{name: a}]': ['imagePullSecrets[0]: has to be one value, and no list or mapping'],
    'imagePullSecrets: [a, ~]': ['imagePullSecrets[1]: has no value'],
    'defaults: {topic: }': ['defaults.topic: has no value'],
    'env: {A: }': ['env.A: has no value'],
    'journal: {claimTemplates: {fast: }}': ['journal.claimTemplates.fast: has no value']
  })
})

describe('a value that is not allowed', () => {
  each({
    'imagePullSecrets: [a, A_b]': [`imagePullSecrets[1]="A_b": ${NAME}`],
    'kubernetesVersion: latest': ['kubernetesVersion="latest": has to be a version: 1.34 or v1.34.2'],
    'kserveVersion: 1': ['kserveVersion="1": has to be a version: 1.34 or v1.34.2'],
    'port: 80': ['port="80": has to be a whole number from 1024 to 65535'],
    'port: 1e4': ['port="1e4": has to be a whole number from 1024 to 65535'],
    'metricsPort: 65536': ['metricsPort="65536": has to be a whole number from 1024 to 65535'],
    'annotations: {onMistake: ignore}': ['annotations.onMistake="ignore": has to be one of deny, skip'],
    'annotations: {allow: [image, imge]}': [
      'annotations.allow[1]="imge": has to be the name of an annotation, without inference-logger.io/; did you mean image?'
    ],
    'annotations: {forbid: [inference-logger.io/topic]}': [
      'annotations.forbid[0]="inference-logger.io/topic": has to be the name of an annotation, without inference-logger.io/; did you mean topic?'
    ],
    'journal: {sizeLimit: big}': ['journal.sizeLimit="big": has to be a size on a disk: 512Mi, 1Gi or 2G'],
    'journal: {sizeLimit: 0}': ['journal.sizeLimit="0": has to be a size on a disk: 512Mi, 1Gi or 2G'],
    'journal: {fsGroup: -1}': ['journal.fsGroup="-1": has to be a whole number from 0 to 2147483647'],
    'gracePeriod: {raise: yes}': ['gracePeriod.raise="yes": has to be one of true, false'],
    'gracePeriod: {agentDrain: 30}': [`gracePeriod.agentDrain="30": has to be ${TIME}`],
    'securityContext: {runAsUser: 0}': ['securityContext.runAsUser="0": has to be a whole number from 1 to 2147483647'],
    'env: {"A B": c}': ['env.A B: has to be a name of a variable: letters, digits, underscores, hyphens and dots'],
    'env: {1A: c}': ['env.1A: has to be a name of a variable: letters, digits, underscores, hyphens and dots'],
    'ignoredNamespaces: [a.b]': [
      'ignoredNamespaces[0]="a.b": has to be a namespace: at most 63 lower case letters, digits and hyphens'
    ]
  })

  test('brokers and image', () => {
    assert.deepEqual(mistakesIn('image: a b\nkafka: {brokers: "http://kafka:1"}'), [
      'image="a b": has to be an image: registry/name:tag or registry/name@digest',
      'kafka.brokers="http://kafka:1": has to be host:port, several separated by commas (kafka-0.kafka:9092,kafka-1.kafka:9092)'
    ])
    assert.deepEqual(mistakesIn('image:\nkafka: {brokers: }'), ['image: has no value', 'kafka.brokers: has no value'])
  })

  test('Secrets and certificates', () => {
    const kafka = (more: string): string[] => mistakesIn(`image: a\nkafka: {brokers: "k:1", ${more}}`)
    assert.deepEqual(kafka('configSecret: {key: a}'), ['kafka.configSecret.name: is required'])
    assert.deepEqual(kafka('configSecret: {name: A, key: a/b}'), [
      `kafka.configSecret.name="A": ${NAME}`,
      'kafka.configSecret.key="a/b": has to be a key of a Secret or ConfigMap: letters, digits, hyphens, underscores and dots'
    ])
    assert.deepEqual(kafka('configSecret: credentials'), ['kafka.configSecret: has to be a mapping'])
    assert.deepEqual(kafka('ca: {key: a}'), ['kafka.ca: has to have secret or configMap: its name'])
    assert.deepEqual(kafka('ca: {secret: a, configMap: b}'), [
      'kafka.ca: has to have either secret or configMap, not both'
    ])
  })
})

describe('defaults are checked as annotations are', () => {
  each({
    'defaults: {durability: jornal}': ['defaults.durability="jornal": has to be one of memory, journal, fsync, kafka'],
    'defaults: {durability: True}': ['defaults.durability="True": has to be one of memory, journal, fsync, kafka'],
    'defaults: {max-event-bytes: 1M}': [`defaults.max-event-bytes="1M": has to be ${SIZE}`],
    'defaults: {topic-partitions: 0x10}': [
      'defaults.topic-partitions="0x10": has to be a whole number from 1 to 100000, or -1 for the broker’s default'
    ],
    'defaults: {create-topics: yes}': ['defaults.create-topics="yes": has to be one of true, false'],
    'defaults: {memory-limit: 1Mi}': [
      'defaults.memory-limit="1Mi": has to be an amount of memory of at least 64Mi: 128Mi, 1Gi or 200M'
    ],
    'defaults: {inject: true}': ['defaults.inject="true": has to be left out: it is about a single pod'],
    'defaults: {image: a, brokers: "k:1", kafka-config-secret: s}': [
      'defaults.brokers="k:1": has to be left out: set kafka.brokers instead',
      'defaults.kafka-config-secret="s": has to be left out: set kafka.configSecret instead',
      'defaults.image="a": has to be left out: set image instead'
    ]
  })
})

describe('claim templates that no pod could have', () => {
  const claim = (yaml: string): string[] => mistakesWith(`journal: {claimTemplates: {fast: ${yaml}}}`)
  const path = 'journal.claimTemplates.fast'
  const good = 'accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}'
  for (const [yaml, expected] of Object.entries({
    '[]': ['has to be a mapping with spec, a PersistentVolumeClaim’s'],
    [`{${good}}`]: ['needs spec: that of a PersistentVolumeClaim'],
    '{spec: {}}': [
      'needs spec.accessModes: a list of ReadWriteOnce, ReadWriteOncePod, ReadWriteMany',
      'needs spec.resources.requests.storage: a size on a disk (512Mi, 1Gi or 2G)'
    ],
    '{spec: {accessModes: [ReadOnlyMany], resources: {requests: {storage: 1Gi}}}}': [
      'needs spec.accessModes: a list of ReadWriteOnce, ReadWriteOncePod, ReadWriteMany'
    ],
    '{spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: much}}}}': [
      'needs spec.resources.requests.storage: a size on a disk (512Mi, 1Gi or 2G)'
    ],
    [`{spec: {${good}, volumeMode: Block}}`]: ['has spec.volumeMode that is not Filesystem: the journal is files'],
    [`{spec: {${good}, storageclassName: a}}`]: ['has spec.storageclassName; did you mean storageClassName?'],
    [`{metadata: {name: a}, spec: {${good}}}`]: ['has metadata.name: only labels and annotations may be'],
    [`{kind: a, spec: {${good}}}`]: ['has kind, which is neither spec nor metadata'],
    [`{spec: {${good}, somethingNewInKubernetes: a}}`]: []
  })) {
    test(yaml, () =>
      assert.deepEqual(
        claim(yaml),
        expected.map(advice => `${path}: ${advice}`)
      )
    )
  }

  test('names', () => {
    assert.deepEqual(mistakesWith(`journal: {claimTemplates: {Fast: {spec: {${good}}}}}`), [
      `journal.claimTemplates.Fast: ${NAME}`
    ])
    assert.deepEqual(mistakesWith(`journal: {claimTemplates: {emptydir: {spec: {${good}}}}}`), [
      'journal.claimTemplates.emptydir: has to be called otherwise: emptydir is a volume without a claim'
    ])
  })
})

describe('settings that are right alone and wrong together', () => {
  const room =
    'for defaults.journal-max-bytes, a quarter of it for what is set aside as damaged, and defaults.dead-letter-max-bytes'
  const small = '{spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 383Mi}}}}'
  each({
    'metricsPort: 9480': ['metricsPort="9480": has to be another port than port'],
    'port: 9481': ['metricsPort="9481": has to be another port than port'],
    'annotations: {allow: [image, brokers], forbid: [brokers]}': [
      'annotations.allow="brokers": is in annotations.forbid too: leave out one of them'
    ],
    'defaults: {journal-volume: fast}': [
      'defaults.journal-volume="fast": has to be emptydir, or one of journal.claimTemplates (there is none)'
    ],
    'defaults: {journal-max-bytes: 16Mi}': [
      'defaults.journal-max-bytes="16Mi": is too small for the largest event (defaults.max-event-bytes=10Mi), which the journal could not hold; raise it to 20Mi, or lower defaults.max-event-bytes'
    ],
    'defaults: {dead-letter-topic: a, topic: a}': [
      'defaults.dead-letter-topic="a": has to be another topic than defaults.topic: its records are notes about events and no events'
    ],
    'defaults: {memory-request: 512Mi}': [
      'defaults.memory-request="512Mi": has to be at most defaults.memory-limit, which is 256Mi'
    ],
    'defaults: {cpu-request: 2, cpu-limit: 1500m}': [
      'defaults.cpu-request="2": has to be at most defaults.cpu-limit, which is 1500m'
    ],
    'journal: {sizeLimit: 383Mi}': [`journal.sizeLimit="383Mi": has to be at least 384Mi, ${room}`],
    [`defaults: {journal-volume: fast}\njournal: {claimTemplates: {fast: ${small}}}`]: [
      `journal.claimTemplates.fast.spec.resources.requests.storage: has to be at least 384Mi, ${room}`
    ],
    'gracePeriod: {agentDrain: 1430m, flush: 10m}': [
      'gracePeriod: has agentDrain and flush that are a day or more together: they have to be less'
    ]
  })

  test('and what is allowed beside that', () => {
    for (const yaml of [
      'port: 9481\nmetricsPort: 9480',
      'defaults: {memory-limit: 100Mi, cpu-limit: 10m}',
      'defaults: {memory-request: 256Mi, cpu-request: 1000m}',
      'defaults: {journal-max-bytes: 1Mi, durability: memory}\njournal: {sizeLimit: 64Mi}',
      'journal: {sizeLimit: 384Mi}',
      // Only for pods that choose it, with a journal to match.
      `journal: {claimTemplates: {small: ${small}}}`
    ]) {
      assert.deepEqual(mistakesWith(yaml), [], yaml)
    }
  })
})

describe('the sidecar’s environment', () => {
  each({
    'env: {INFERENCE_LOGGER_STAL_TIMEOUT: 60s}': [
      'env.INFERENCE_LOGGER_STAL_TIMEOUT: is not a setting; did you mean env.INFERENCE_LOGGER_STALL_TIMEOUT? (see docs/configuration.md)'
    ],
    'env: {INFERENCE_LOGGER_REQUEST_TIMEOUT: never}': [
      `env.INFERENCE_LOGGER_REQUEST_TIMEOUT="never": has to be ${TIME}`
    ],
    'env: {KAFKA_BROKERS: a}': ['env.KAFKA_BROKERS: is kafka.brokers: set that instead'],
    'env: {KAFKA_TOPIC: a}': ['env.KAFKA_TOPIC: is defaults.topic: set that instead'],
    'env: {KAFKA_TOPIC_REPLICATIONFACTOR: 3}': [
      'env.KAFKA_TOPIC_REPLICATIONFACTOR: is defaults.topic-replication-factor: set that instead'
    ],
    'env: {KAFKA_CONFIG_FILE: /a}': ['env.KAFKA_CONFIG_FILE: is where kafka.configSecret is mounted: set that instead'],
    'env: {KAFKA_CONFIG_LINGER_MS: 5}': ['env.KAFKA_CONFIG_LINGER_MS: is kafka.config.linger.ms: set that instead'],
    'env: {INFERENCE_LOGGER_LISTEN: "0.0.0.0:1"}': [
      'env.INFERENCE_LOGGER_LISTEN: follows from the logger’s URL: set port for pods where it does not say it'
    ],
    'env: {INFERENCE_LOGGER_OPS_LISTEN: "0.0.0.0:1"}': [
      'env.INFERENCE_LOGGER_OPS_LISTEN: is metricsPort: set that instead'
    ],
    'env: {POD_NAME: a, REVISION: b}': [
      'env.POD_NAME: is set from the pod: leave it out',
      'env.REVISION: is set from the pod: leave it out'
    ]
  })

  test('takes those of its variables that nothing else sets, and no other', () => {
    const taken = Object.values(variables as Readonly<Record<string, Variable<unknown>>>)
      .filter(({ name }) => {
        const lines = mistakesWith(`env: {${name}: x}`)
        return !lines.some(line => line.startsWith(`env.${name}: `))
      })
      .map(({ name }) => name)
    assert.deepEqual(taken, [
      'INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES',
      'INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES',
      'INFERENCE_LOGGER_IN_FLIGHT_MAX_RECORDS',
      'INFERENCE_LOGGER_STALL_TIMEOUT',
      'INFERENCE_LOGGER_MAX_CONNECTIONS',
      'INFERENCE_LOGGER_REQUEST_TIMEOUT'
    ])
  })
})

describe('librdkafka’s properties', () => {
  const config = (yaml: string, more = ''): string[] =>
    mistakesIn(`image: a\nkafka: {brokers: "k:1", config: {${yaml}}${more}}`)

  test('are judged by librdkafka', () => {
    assert.deepEqual(config('linger.ms: 5, security.protocol: SSL, acks: all'), [])
    assert.deepEqual(config('linger.sm: 5'), [
      "kafka.config.linger.sm: librdkafka has no property linger.sm; did you mean linger.ms? (see librdkafka's CONFIGURATION.md)"
    ])
    assert.match(
      config('Linger.ms: 5, linger_ms: 5').join('\n'),
      /has no property Linger\.ms.*\n.*has no property linger_ms/
    )
    const [line, ...others] = config('linger.ms: soon')
    assert.match(line ?? '', /^kafka\.config\.linger\.ms="soon": /)
    assert.deepEqual(others, [])
  })

  test('that are not to be set are told as settings', () => {
    assert.deepEqual(config('bootstrap.servers: a, message.max.bytes: 1, transactional.id: a'), [
      'kafka.config.bootstrap.servers="a": cannot be set: set kafka.brokers',
      'kafka.config.message.max.bytes="1": cannot be set: set defaults.max-event-bytes',
      'kafka.config.transactional.id="a": cannot be set: events are not sent in transactions, and such a producer takes nothing outside one'
    ])
    assert.deepEqual(config('ssl.ca.location: /a', ', ca: {secret: a}'), [
      'kafka.config.ssl.ca.location: is set by kafka.ca: leave out one of them'
    ])
  })
})

test('secrets are refused where every reader of a pod would find them, and are not shown', () => {
  const text =
    'image: a\nkafka:\n  brokers: k:1\n  config:\n    sasl.password: Geheim1\n    ssl.key.pem: Geheim2\n' +
    '    sasl.pasword: Geheim3\n    sasl.oauthbearer.client.secret: [Geheim4]\n    sasl.oauthbearer.token.endpoint.url: https://a\n' +
    '  password: Geheim5\n' +
    'env:\n  KAFKA_CONFIG_SASL_PASSWORD: Geheim6\n  INFERENCE_LOGGER_PASSWORD: Geheim7\n'
  const lines = mistakesIn(text)
  const advice = 'is a secret: put it into the Secret that kafka.configSecret names'
  for (const expected of [
    `kafka.config.sasl.password: ${advice}`,
    `kafka.config.ssl.key.pem: ${advice}`,
    `env.KAFKA_CONFIG_SASL_PASSWORD: ${advice}`,
    'kafka.password: is not a setting'
  ]) {
    assert.ok(lines.includes(expected), expected)
  }
  assert.ok(!lines.some(line => line.includes('endpoint') && line.includes(advice)))
  assert.doesNotMatch(lines.join('\n'), /Geheim/)
  // Nor by the YAML parser, which likes to show a line.
  assert.doesNotMatch(mistakesIn('kafka: {config: {sasl.password: "Geheim\n').join('\n'), /Geheim/)
  assert.doesNotMatch(mistakesIn('kafka:\n  - sasl.password: Geheim\n b: *Geheim').join('\n'), /Geheim/)
  assert.doesNotMatch(mistakesIn('image: a\nkafka: {brokers: "SSL://user:Geheim@kafka:1"}').join('\n'), /Geheim/)
})

test('all mistakes come at once, each with path, value and advice', () => {
  const text =
    'imagee: a\nport: 1\nmetricsPort: 9480\nkafka: {broker: a, config: {sasl.password: a, linger.sm: 1}}\n' +
    'defaults: {topc: a, durability: b, journal-max-bytes: 1Mi, journal-volume: c}\nenv: {POD_NAME: a, INFERENCE_LOGGER_X: b}\n' +
    'annotations: {allow: [x], forbid: y}\njournal: {claimTemplates: {a: {}}}\nignoredNamespaces: [B]'
  const error = (() => {
    try {
      load(text)
      return undefined
    } catch (thrown) {
      return thrown
    }
  })()
  assert.ok(error instanceof SettingsError)
  assert.deepEqual(error.mistakes.map(({ path }) => path).sort(), [
    'annotations.allow[0]',
    'annotations.forbid',
    'defaults.durability',
    'defaults.journal-max-bytes',
    'defaults.journal-volume',
    'defaults.topc',
    'env.INFERENCE_LOGGER_X',
    'env.POD_NAME',
    'ignoredNamespaces[0]',
    'image',
    'imagee',
    'journal.claimTemplates.a',
    'kafka.broker',
    'kafka.brokers',
    'kafka.config.linger.sm',
    'kafka.config.sasl.password',
    'port'
  ])
  assert.deepEqual(
    error.mistakes.find(({ path }) => path === 'port'),
    { path: 'port', value: '1', advice: 'has to be a whole number from 1024 to 65535' }
  )
})
