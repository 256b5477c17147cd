import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseOptions, type AnnotationMistake } from '../../../webhook/annotations/parse.ts'
import { annotations, PREFIX, type Annotation, type AnnotationName } from '../../../webhook/annotations/table.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'
import { SETTINGS } from '../pods.ts'

const table: Readonly<Record<string, Annotation>> = annotations

function parse(given: Record<string, string>, settings: Partial<Settings> = {}): ReturnType<typeof parseOptions> {
  const prefixed = Object.fromEntries(Object.entries(given).map(([name, value]) => [PREFIX + name, value]))
  return parseOptions({ 'sidecar.istio.io/inject': 'whatever', ...prefixed }, { ...SETTINGS, ...settings })
}

function mistakesIn(given: Record<string, string>, settings: Partial<Settings> = {}): readonly AnnotationMistake[] {
  return parse(given, settings).mistakes
}

describe('annotations of a pod', () => {
  /** For each: a value that is right, as it is parsed, and one that is wrong. */
  const values: Record<AnnotationName, [right: string, parsed: unknown, wrong: string]> = {
    inject: ['true', true, 'yes'],
    topic: ['{namespace}.inference', undefined, 'no blanks'],
    'topic-partitions': ['12', 12, '0'],
    'topic-replication-factor': ['3', 3, 'three'],
    'create-topics': ['false', false, '0'],
    'max-topics': ['7', 7, '-1'],
    format: ['envelope', 'envelope', 'xml'],
    key: ['none', 'none', 'ID'],
    'header-decoding': ['raw', 'raw', 'yes'],
    durability: ['fsync', 'fsync', 'disk'],
    'ack-timeout': ['500ms', 500, '500'],
    'journal-max-bytes': ['1Gi', 2 ** 30, '1GB'],
    'journal-volume': ['emptydir', 'emptydir', 'Not A Name'],
    'when-full': ['drop-oldest', 'drop-oldest', 'drop'],
    'when-journal-fails': ['reject', 'reject', 'crash'],
    'max-event-bytes': ['1Mi', 2 ** 20, '1 MB'],
    'memory-max-bytes': ['16Mi', 16 * 2 ** 20, ''],
    'dead-letter-topic': ['dead', 'dead', '{type}'],
    'dead-letter-max-bytes': ['20Mi', 20 * 2 ** 20, '-5'],
    'log-level': ['debug', 'debug', 'loud'],
    'native-sidecar': ['never', 'never', 'true'],
    'cpu-request': ['10m', { text: '10m', value: 0.01 }, '10x'],
    'cpu-limit': ['1.5', { text: '1.5', value: 1.5 }, '0'],
    'memory-request': ['64Mi', { text: '64Mi', value: 64 * 2 ** 20 }, '10Mi'],
    'memory-limit': ['200M', { text: '200M', value: 2e8 }, 'much'],
    'termination-grace-period-seconds': ['90', 90, '90s'],
    'image-pull-policy': ['Always', 'Always', 'always'],
    brokers: ['mine:9092', 'mine:9092', 'http://mine'],
    'kafka-config-secret': ['my-kafka', 'my-kafka', 'My_Kafka'],
    image: ['registry.example:5000/il@sha256:abc', 'registry.example:5000/il@sha256:abc', 'two words']
  }

  for (const [name, [right, parsed, wrong]] of Object.entries(values) as [
    AnnotationName,
    [string, unknown, string]
  ][]) {
    const allowed = { annotations: { allow: [name], forbid: [], onMistake: 'deny' as const } }
    test(`${name}: ${JSON.stringify(right)} is taken, ${JSON.stringify(wrong)} is not`, () => {
      const { options, texts, mistakes } = parse({ [name]: right }, allowed)
      assert.deepEqual(mistakes, [])
      assert.equal(texts[name], right)
      if (name === 'topic') assert.equal(options.topic?.text, right)
      else assert.deepEqual(options[name], parsed)
      const [mistake, ...others] = mistakesIn({ [name]: wrong }, allowed)
      assert.deepEqual(others, [])
      assert.equal(mistake?.annotation, PREFIX + name)
      assert.equal(mistake.value, wrong)
      assert.match(mistake.advice, /^has to be (an?|one of|host|text|several|the|lower) ?/)
    })
  }

  test('each in the table has a case above', () => assert.deepEqual(Object.keys(values), Object.keys(annotations)))

  test('every mistake is found at once', () => {
    const mistakes = mistakesIn({ format: 'xml', durability: 'disk', topicc: 'x', brokers: 'mine:9092' })
    assert.deepEqual(mistakes.map(({ annotation }) => annotation.slice(PREFIX.length)).sort(), [
      'brokers',
      'durability',
      'format',
      'topicc'
    ])
  })

  test('a name that is not ours is refused with what was probably meant', () => {
    assert.match(mistakesIn({ topicc: 'x' })[0]?.advice ?? '', /did you mean inference-logger\.io\/topic\?/)
    assert.match(mistakesIn({ 'kafka-topic': 'x' })[0]?.advice ?? '', /did you mean inference-logger\.io\/topic\?/)
    assert.doesNotMatch(mistakesIn({ 'something-else': 'x' })[0]?.advice ?? '', /did you mean/)
    assert.equal(mistakesIn({ toString: 'x', __proto__: 'x', constructor: 'y' }).length, 2)
  })

  test('what the webhook itself wrote is no mistake', () => {
    assert.deepEqual(mistakesIn({ status: '{}', 'original-termination-grace-period-seconds': '30' }), [])
  })

  test('credentials in front of a broker are not repeated', () => {
    const allowed = { annotations: { allow: ['brokers' as const], forbid: [], onMistake: 'deny' as const } }
    const [mistake] = mistakesIn({ brokers: 'me:hidden@mine:9092' }, allowed)
    assert.doesNotMatch(JSON.stringify(mistake), /hidden/)
  })
})

describe('values of annotations', () => {
  test('come from the pod, else from the settings’ defaults, else from the table', () => {
    const defaults = { format: 'structured', durability: 'kafka' } as const
    const { options, texts } = parse({ format: 'envelope' }, { defaults })
    assert.equal(options.format, 'envelope')
    assert.equal(options.durability, 'kafka')
    assert.equal(options['memory-limit']?.text, '256Mi')
    assert.deepEqual(texts, { format: 'envelope', durability: 'kafka' }, 'the sidecar’s own defaults are left to it')
  })

  test('what the table closes, settings can open, and the other way round', () => {
    assert.match(mistakesIn({ image: 'mine' })[0]?.advice ?? '', /not allowed here; .* \(annotations\.allow/)
    const annotationsSetting = { allow: ['image'], forbid: ['topic'], onMistake: 'deny' } as const
    assert.deepEqual(mistakesIn({ image: 'mine' }, { annotations: annotationsSetting }), [])
    assert.match(mistakesIn({ topic: 'mine' }, { annotations: annotationsSetting })[0]?.advice ?? '', /not allowed/)
  })

  test('a closed annotation does not show its value', () => {
    assert.deepEqual(Object.keys(mistakesIn({ brokers: 'x:1' })[0] ?? {}), ['annotation', 'advice'])
  })

  test('a request above its limit is a mistake where both are set, and lowered where one is', () => {
    assert.match(
      mistakesIn({ 'memory-request': '1Gi', 'memory-limit': '128Mi' })[0]?.advice ?? '',
      /at most .*memory-limit, 128Mi/
    )
    assert.match(
      mistakesIn({ 'cpu-request': '2' }, { defaults: { 'cpu-limit': '500m' } })[0]?.advice ?? '',
      /at most .*cpu-limit, 500m/
    )
    assert.deepEqual(mistakesIn({ 'memory-limit': '64Mi' }), [])
  })

  test('a journal’s volume is one that the settings have', () => {
    const journal = { ...SETTINGS.journal, claimTemplates: { ssd: { spec: {} } } }
    assert.deepEqual(mistakesIn({ 'journal-volume': 'ssd' }, { journal }), [])
    assert.match(mistakesIn({ 'journal-volume': 'hdd' }, { journal })[0]?.advice ?? '', /one of emptydir, ssd/)
  })

  test('the table’s own defaults are right', () => {
    for (const [name, { default: value, parse: parseOne }] of Object.entries(table)) {
      if (value !== undefined) assert.doesNotThrow(() => parseOne(value), name)
    }
  })
})
