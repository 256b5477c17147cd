import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { loadSettings, SettingsError } from '../../../webhook/settings/load.ts'
import { settingRows } from '../../../webhook/settings/rows.ts'
import { SETTINGS } from '../pods.ts'
import { LEAST, load, loadWith } from './loading.ts'

test('an image and brokers are enough', () => assert.deepEqual(load(LEAST), SETTINGS))

test('a section without a value is one that is not there: everything in it may be commented out', () => {
  const sections = Object.keys(SETTINGS).filter(key => key !== 'image' && key !== 'kafka')
  assert.deepEqual(loadWith(sections.map(key => `${key}:\n  # nothing\n`).join('')), SETTINGS)
  assert.deepEqual(
    load('image: registry.example/inference-logger:1\nkafka: {brokers: "kafka:9092", ca: , config: ~}'),
    SETTINGS
  )
})

test('values are taken as they are written, with quotes or without', () => {
  const { kubernetesVersion, defaults, env, kafka } = load(
    'image: a\nkubernetesVersion: 1.30\nkafka: {brokers: "k:1", config: {enable.idempotence: true, linger.ms: 0.50}}\n' +
      'defaults: {topic-partitions: -1, create-topics: false, cpu-limit: 1.0, topic: 123}\n' +
      'env:\n  A: 0x10\n  B: 1_000\n  C: yes\n  D: "1.0"\n  E: |-\n    x\n    y\n  F: 2026-01-01\n  G: ""\n'
  )
  assert.deepEqual(kubernetesVersion, { major: 1, minor: 30 })
  assert.deepEqual(kafka.config, { 'enable.idempotence': 'true', 'linger.ms': '0.50' })
  assert.deepEqual(defaults, { 'topic-partitions': '-1', 'create-topics': 'false', 'cpu-limit': '1.0', topic: '123' })
  assert.deepEqual(env, { A: '0x10', B: '1_000', C: 'yes', D: '1.0', E: 'x\ny', F: '2026-01-01', G: '' })
})

test('claim templates keep YAML’s types', () => {
  const { journal } = loadWith(
    'journal: {claimTemplates: {a: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2147483648}},' +
      ' selector: {matchLabels: {a: "1"}}, future: {number: 1.5, yes: true, none: null}}}}}'
  )
  assert.deepEqual(journal.claimTemplates['a'], {
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: 2_147_483_648 } },
      selector: { matchLabels: { a: '1' } },
      future: { number: 1.5, yes: true, none: null }
    }
  })
})

test('versions as people and clouds write them', () => {
  for (const [text, minor] of [
    ['1.34', 34],
    ['v1.34.2', 34],
    ['v1.29.1-gke.100', 29],
    ['1.29+', 29],
    ['1.9', 9]
  ] as const) {
    assert.deepEqual(loadWith(`kubernetesVersion: ${text}`).kubernetesVersion, { major: 1, minor }, text)
  }
})

test('YAML may use aliases, and may be JSON', () => {
  const { env } = loadWith('ignoredNamespaces: [&name a]\nenv: {A: *name, B: *name}')
  assert.deepEqual(env, { A: 'a', B: 'a' })
  assert.deepEqual(
    load(JSON.stringify({ image: SETTINGS.image, kafka: { brokers: 'kafka:9092' }, port: 9480 })),
    SETTINGS
  )
})

test('times are whole seconds', () => {
  const { gracePeriod } = loadWith('gracePeriod: {raise: false, agentDrain: 1m, flush: 1500ms}')
  assert.deepEqual(gracePeriod, { raise: false, agentDrainSeconds: 60, flushSeconds: 2 })
})

test('settings are frozen through and through', () => {
  const settings = loadWith(
    'imagePullSecrets: [a]\nenv: {A: b}\ndefaults: {topic: a}\n' +
      'journal: {claimTemplates: {a: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}'
  )
  const check = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    assert.ok(Object.isFrozen(value), JSON.stringify(value))
    Object.values(value).forEach(check)
  }
  check(settings)
})

/** Names that settings have, so that chance gets beyond the first key. */
const names = [...new Set(settingRows().flatMap(({ path }) => path.split('.')))]
const key = fc.oneof(fc.constantFrom(...names, '__proto__', 'toString', 'topic', 'spec'), fc.string())
const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('1Gi', '30s', 'kafka:9092', '9480', 'topic', '~', '*a', '&a b')
)
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 8 })
  )
}))
const settingsLike = fc.record(Object.fromEntries(Object.keys(SETTINGS).map(name => [name, tree])), {
  requiredKeys: []
})

function onlySettingsErrors(text: string): void {
  try {
    loadSettings(text, { checkProperty: () => ({ level: 'global' }), reserved: new Map() })
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error))
    assert.ok(error.mistakes.length > 0)
    for (const { path, advice } of error.mistakes) assert.ok(path !== '' && advice !== '')
  }
}

test('whatever a file has in it, nothing but a SettingsError is thrown', () => {
  fc.assert(
    fc.property(fc.oneof(tree, settingsLike), value => onlySettingsErrors(JSON.stringify(value))),
    { numRuns: 60 }
  )
  fc.assert(
    fc.property(settingsLike, value => onlySettingsErrors(stringify(value))),
    { numRuns: 25 }
  )
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), onlySettingsErrors), { numRuns: 40 })
  const pieces = fc.constantFrom(
    'a',
    ': ',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '&a ',
    '*a',
    '!x ',
    '# ',
    '|',
    '? ',
    '<<',
    ',',
    '\t',
    '---\n',
    '%'
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), parts => onlySettingsErrors(parts.join(''))),
    { numRuns: 80 }
  )
})

test('a file cut off or changed anywhere is read, or refused with its mistakes', () => {
  const whole = `${LEAST}defaults: {topic: a, memory-limit: 1Gi}\nenv:\n  A: "b"\njournal: {claimTemplates: {}}\n`
  for (let at = 0; at < whole.length; at += 2) {
    onlySettingsErrors(whole.slice(0, at))
    for (const char of [':', '"']) onlySettingsErrors(whole.slice(0, at) + char + whole.slice(at + 1))
  }
})

test('loading is quick, and does not load librdkafka where no property is to be checked', async () => {
  const at = (path: string): string => JSON.stringify(new URL(`../../../${path}`, import.meta.url).href)
  const script = `
    import { createRequire } from 'node:module'
    const { readSettings } = await import(${at('webhook/settings/load.js')})
    const { librdkafkaChecks } = await import(${at('cli/settings-checks.js')})
    const loaded = () => Object.keys(createRequire(import.meta.url).cache ?? createRequire('/')('module')._cache)
      .concat(Object.keys(createRequire(import.meta.url)('node:module')._cache)).some(path => path.includes('node-rdkafka'))
    const text = ${JSON.stringify(LEAST)}
    await readSettings(text, librdkafkaChecks)
    const times = []
    for (let i = 0; i < 5; i++) {
      const begin = performance.now()
      await readSettings(text, librdkafkaChecks)
      times.push(performance.now() - begin)
    }
    const without = loaded()
    const checked = await readSettings(text.replace('}', ', config: {linger.sm: 5}}'), librdkafkaChecks).catch(error => error.message)
    console.log(JSON.stringify({ ms: Math.min(...times), without, with: loaded(), checked }))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000
  })
  assert.equal(stderr, '')
  const seen = JSON.parse(stdout) as { ms: number; without: boolean; with: boolean; checked: string }
  assert.ok(seen.ms < 20, `${seen.ms} ms`)
  assert.deepEqual([seen.without, seen.with], [false, true])
  assert.match(seen.checked, /did you mean linger\.ms/)
})
