import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Config } from '../../sidecar/config/config.ts'
import { variables, type Variable } from '../../sidecar/config/variables.ts'
import { mistakesIn, parse, type Env } from './environment.ts'

const MIB = 1024 * 1024

/** What a setting is without a variable, and what becomes of good and bad values. */
interface Expectation {
  /** What has to be set beside it. */
  readonly with?: Env
  readonly default: unknown
  readonly gateway?: unknown
  readonly good: Readonly<Record<string, unknown>>
  /** Values that stop the start, and what is said about all of them. */
  readonly bad?: readonly [values: readonly string[], advice: RegExp]
}

const bytes = (byDefault: number): Expectation => ({
  default: byDefault,
  good: { '1': 1, '5000': 5000, '2Ki': 2048, '1.5Mi': 1.5 * MIB, '1Gi': 1024 * MIB },
  bad: [['0', '-1', 'x', '1k', '1KB', '1 Mi', '1mi', '10M', '1e3', '0x10', '99999999999999999'], /size in bytes/]
})
const duration = (byDefault: number): Expectation => ({
  default: byDefault,
  good: { '500ms': 500, '2s': 2000, '1m': 60_000, '1.5s': 1500, '0s': 0, '1440m': 86_400_000 },
  bad: [['5', '5h', '-1s', 's', '1 s', '1441m', 'forever'], /a time of at most 24 hours/]
})
const integer = (byDefault: number, min: number, max: number): Expectation => ({
  default: byDefault,
  good: { [min]: min, [max]: max },
  bad: [[String(min - 1), String(max + 1), '1.5', 'x', '1e2', ' 1', '0x1'], /a whole number from/]
})
const words = (byDefault: string, ...all: string[]): Expectation => ({
  default: byDefault,
  good: Object.fromEntries(all.map(word => [word, word])),
  bad: [['nonsense', all[0]?.toUpperCase() ?? ''], new RegExp(`one of ${all.join(', ')}`)]
})
const text: Expectation = { default: '', good: { anything: 'anything', 'ä b': 'ä b' } }

const EXPECTED: Readonly<Record<keyof typeof variables, Expectation>> = {
  brokers: {
    default: 'kafka:9092',
    good: {
      'a:1': 'a:1',
      'a:1, b:2': 'a:1,b:2',
      'no-port': 'no-port',
      'SSL://a:9093': 'SSL://a:9093',
      '[::1]:9092': '[::1]:9092'
    },
    bad: [[',', 'a:x', 'a:0', 'a:99999', 'http://a:1', 'a b', 'a:1,', 'kafka://a'], /host:port/]
  },
  topic: {
    default: '{inferenceservicename}-inference-topic',
    good: { 'a-topic': 'a-topic', '{namespace}.{type}_{component}': '{namespace}.{type}_{component}' },
    bad: [['a topic', '{name}', '..', 'ä', 'x'.repeat(250), '{}', '{type'], /topic name/]
  },
  topicPartitions: {
    ...integer(1, 1, 100_000),
    good: { '1': 1, '-1': -1, '100000': 100_000 },
    bad: [['0', '-2', '100001', 'many'], /a whole number from 1 to \d+, or -1 for the broker/]
  },
  topicReplicationFactor: {
    ...integer(1, 1, 32_767),
    good: { '3': 3, '-1': -1 },
    bad: [['0', '-2', '32768', 'x'], /a whole number from 1 to \d+, or -1 for the broker/]
  },
  kafkaConfigFile: {
    default: undefined,
    good: { '/a/file': '/a/file' },
    bad: [['/not/there'], /cannot be read \(ENOENT\)/]
  },
  createTopics: {
    default: true,
    good: { true: true, false: false },
    bad: [['yes', '1', 'TRUE'], /one of true, false/]
  },
  maxTopics: integer(100, 1, 10_000),
  listen: {
    default: [
      { host: '127.0.0.1', port: 9480 },
      { host: '::1', port: 9480 }
    ],
    gateway: [{ host: '0.0.0.0', port: 8080 }],
    good: {
      '127.0.0.1:0': [{ host: '127.0.0.1', port: 0 }],
      'localhost:1, [::]:2': [
        { host: 'localhost', port: 1 },
        { host: '::', port: 2 }
      ]
    },
    bad: [['9480', ':9480', 'a', 'a:', '::1:9480', '[a]:1', 'a:65536', 'a:1,', 'http://a:1'], /host:port/]
  },
  opsListen: {
    default: { host: '0.0.0.0', port: 9481 },
    good: { '127.0.0.1:1': { host: '127.0.0.1', port: 1 } },
    bad: [['9481', 'a:1,b:2'], /host:port/]
  },
  format: { ...words('cloudevent', 'cloudevent', 'structured', 'envelope'), gateway: 'envelope' },
  key: words('id', 'id', 'partitionkey', 'inferenceservicename', 'none'),
  headerDecoding: words('auto', 'auto', 'strict', 'raw'),
  durability: words('journal', 'memory', 'journal', 'fsync', 'kafka'),
  journalDir: {
    default: '/var/lib/inference-logger',
    good: { '/a/dir': '/a/dir', 'relative dir': 'relative dir' },
    bad: [[' ', 'a\0b'], /not empty|path of a directory/]
  },
  journalMaxBytes: {
    ...bytes(256 * MIB),
    with: { INFERENCE_LOGGER_MAX_EVENT_BYTES: '1' },
    good: { '2': 2, '1Gi': 1024 * MIB }
  },
  journalSegmentBytes: bytes(8 * MIB),
  whenFull: words('reject', 'reject', 'drop-oldest'),
  whenJournalFails: words('memory', 'memory', 'reject'),
  ackTimeout: duration(2000),
  memoryMaxBytes: bytes(32 * MIB),
  maxEventBytes: {
    ...bytes(10 * MIB),
    with: { INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '2Gi', INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES: '2Gi' }
  },
  inFlightMaxBytes: bytes(8 * MIB),
  inFlightMaxRecords: integer(8000, 1, 1_000_000),
  stallTimeout: {
    ...duration(60_000),
    good: { '1ms': 1, '2m': 120_000 },
    bad: [['0s', '0ms', '5', 'never'], /a time (?:above zero|of at most 24 hours)/]
  },
  deadLetterTopic: {
    default: undefined,
    good: { 'a.dead_letter-topic': 'a.dead_letter-topic', ['x'.repeat(249)]: 'x'.repeat(249) },
    bad: [['a topic', '..', 'ä', 'x'.repeat(250), '{type}', 'dead-{namespace}', 'a}'], /^[^]*topic name of at most 249/]
  },
  deadLetterMaxBytes: {
    ...bytes(64 * MIB),
    with: { INFERENCE_LOGGER_MAX_EVENT_BYTES: '1' },
    good: { '2': 2, '1Gi': 1024 * MIB }
  },
  maxConnections: integer(1000, 1, 100_000),
  requestTimeout: duration(30_000),
  drainIdle: duration(10_000),
  gracePeriod: duration(25_000),
  logLevel: words('info', 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  podName: text,
  podNamespace: text,
  nodeName: text,
  inferenceServiceName: text,
  component: text,
  revision: text
}

const FILES = { '/a/file': '' }

/** A topic template is compared by its text. */
function valueOf(config: Config, key: keyof typeof variables): unknown {
  return key === 'topic' ? config.topic.text : config[key]
}

for (const [key, expected] of Object.entries(EXPECTED) as [keyof typeof variables, Expectation][]) {
  const { name } = variables[key]
  const { with: beside = {} } = expected
  describe(name, () => {
    test('default', () => {
      assert.deepEqual(valueOf(parse({}), key), expected.default)
      assert.deepEqual(valueOf(parse({}, {}, 'gateway'), key), expected.gateway ?? expected.default)
    })

    test('good values', () => {
      for (const [value, parsed] of Object.entries(expected.good)) {
        assert.deepEqual(valueOf(parse({ ...beside, [name]: value }, FILES), key), parsed, value)
      }
    })

    test('an empty value counts as none', () => {
      if (key === 'brokers') assert.match(mistakesIn({ [name]: '' }).join(), /^KAFKA_BROKERS: is required/)
      else assert.deepEqual(valueOf(parse({ [name]: '' }), key), expected.default)
    })

    if (expected.bad === undefined) return
    const [values, advice] = expected.bad
    test('bad values stop the start, with the variable, the value and what is allowed', () => {
      for (const value of values) {
        const mistakes = mistakesIn({ ...beside, [name]: value })
        assert.equal(mistakes.length, 1, `${value}: ${mistakes.join('; ')}`)
        assert.ok(mistakes[0]?.startsWith(`${name}=${JSON.stringify(value)}: `), mistakes[0])
        assert.match(mistakes[0] ?? '', advice)
      }
    })
  })
}

test('a missing KAFKA_BROKERS is said to be required, with what it is', () => {
  assert.deepEqual(mistakesIn({ KAFKA_BROKERS: undefined }), [
    'KAFKA_BROKERS: is required (Kafka bootstrap servers, `host:port` separated by commas)'
  ])
})

test('every variable has a documentation, and a default that parses', () => {
  for (const variable of Object.values(variables) as Variable<unknown>[]) {
    assert.ok(variable.doc.length > 10, variable.name)
    for (const byDefault of typeof variable.default === 'object'
      ? Object.values(variable.default)
      : [variable.default]) {
      if (byDefault !== undefined) variable.parse(byDefault)
    }
  }
})

test('KAFKA_TOPIC_REPLICATIONFACTOR, as the original’s README has it, works with a warning; the other spelling wins', () => {
  const config = parse({ KAFKA_TOPIC_REPLICATIONFACTOR: '3' })
  assert.equal(config.topicReplicationFactor, 3)
  assert.match(config.warnings.join(), /KAFKA_TOPIC_REPLICATIONFACTOR works, but KAFKA_TOPIC_REPLICATION_FACTOR/)
  const both = parse({ KAFKA_TOPIC_REPLICATIONFACTOR: '3', KAFKA_TOPIC_REPLICATION_FACTOR: '2' })
  assert.equal(both.topicReplicationFactor, 2)
  assert.deepEqual(both.warnings, [])
  assert.match(mistakesIn({ KAFKA_TOPIC_REPLICATIONFACTOR: 'x' }).join(), /^KAFKA_TOPIC_REPLICATIONFACTOR="x"/)
})

test('the configuration cannot be changed afterwards', () => {
  const config = parse({}) as { brokers: string }
  assert.throws(() => (config.brokers = 'other'), TypeError)
})
