import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { MockKafka } from '../../cli/demo/mock-kafka.ts'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { RecordFormat } from '../../sidecar/records/record.ts'
import { KafkaProducer } from '../../sidecar/kafka/producer.ts'
import { start } from './cli.ts'
import { eventOf, fixtures, formats } from './support.ts'

let kafka: MockKafka
let producer: KafkaProducer<() => void>
let polling: NodeJS.Timeout

before(async () => {
  kafka = await MockKafka.start()
  producer = await KafkaProducer.start(
    { global: { 'bootstrap.servers': kafka.brokers, dr_cb: true, 'linger.ms': 0 }, topic: {} },
    {
      onReport: (done, error) => (assert.equal(error, undefined), done()),
      onError: () => {},
      onLog: () => {},
      onStatistics: () => {}
    }
  )
  polling = setInterval(() => producer.poll(), 5)
})

after(async () => {
  clearInterval(polling)
  await producer.close()
  await kafka.stop()
})

/** Writes captured requests to a topic, and waits until Kafka has them. */
async function write(topic: string, captured: typeof fixtures, format: RecordFormat = 'cloudevent'): Promise<void> {
  await Promise.all(
    captured.map(one => {
      const record = buildRecord({ event: eventOf(one), topic }, { format, key: 'id', maxEventBytes: 1e7 })
      return new Promise<void>(resolve => assert.equal(producer.produce(record, resolve), undefined))
    })
  )
}

interface Line {
  topic: string
  format: string
  kind: string
  size: number
  attributes: Record<string, string>
  data?: unknown
  data_base64?: string
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)

for (const format of formats) {
  test(`--json: every captured request in format ${format}`, async () => {
    await write(`json-${format}`, fixtures, format)
    const run = start(
      [
        'tail',
        '-b',
        kafka.brokers,
        '-t',
        `json-${format}`,
        '--from-beginning',
        '--json',
        '-n',
        String(fixtures.length)
      ],
      // Those of the sidecar's environment that a consumer must not get.
      { KAFKA_CONFIG_LINGER_MS: '7', KAFKA_CONFIG_ACKS: 'all', KAFKA_SERVICE_HOST: '10.0.0.1' }
    )
    assert.equal(await run.exit, 0, run.stderr)
    assert.equal(run.stderr, `inference-logger: following json-${format} from the beginning\n`)
    const lines = linesOf(run.stdout)
    assert.equal(lines.length, fixtures.length)
    for (const { name, id, type, body } of fixtures) {
      const line = lines.find(({ attributes }) => attributes['id'] === id && attributes['type'] === type)
      assert.ok(line, name)
      assert.equal(line.topic, `json-${format}`)
      assert.equal(line.format, format)
      assert.equal(line.kind, name.split('__').at(-1))
      const gzipped = format === 'envelope' && name.includes('gzip') && line.kind === 'request'
      const expected = gzipped ? gunzipSync(body) : body
      assert.equal(line.size, expected.length, name)
      if (line.data_base64 !== undefined) assert.deepEqual(Buffer.from(line.data_base64, 'base64'), expected, name)
      else if (typeof line.data === 'string') assert.equal(line.data, expected.toString(), name)
      else if (line.data !== undefined) assert.deepEqual(line.data, JSON.parse(expected.toString()), name)
      else assert.equal(expected.length, 0, name)
    }
  })
}

test('follows from now on, a topic that comes later from its beginning, and ends with Ctrl-C', async () => {
  const [one, two] = [fixtures.slice(0, 2), fixtures.slice(2, 4)]
  await write('now', one)
  const run = start(['tail', '-t', 'now', 'later', '--json'], { KAFKA_BROKERS: kafka.brokers })
  await run.until('following now from now on')
  await run.until('there is no topic later (or it must not be read); waiting for it')
  await write('now', two)
  for (const { id } of two) await run.until(id)
  await write('later', one)
  for (const { id } of one) await run.until(id)
  run.kill('SIGINT')
  assert.equal(await run.exit, 0)
  const seen = linesOf(run.stdout).map(({ topic, attributes }) => `${topic} ${attributes['id']} ${attributes['type']}`)
  const expected = [...two.map(event => ['now', event] as const), ...one.map(event => ['later', event] as const)]
  assert.deepEqual(seen.sort(), expected.map(([topic, { id, type }]) => `${topic} ${id} ${type}`).sort())
})

test('for a person: topics by pattern, plain text when it is piped', async () => {
  await write('pattern-a', fixtures.slice(0, 2))
  await write('pattern-b', fixtures.slice(2, 4))
  const run = start(['tail', '-b', kafka.brokers, '-t', '^pattern-.*$', '--from-beginning', '-n', '4'])
  assert.equal(await run.exit, 0, run.stderr)
  assert.match(run.stdout, /→ request .*pattern-a\[\d\]@0\n/)
  assert.match(run.stdout, /← response .*pattern-b\[\d\]@1\n/)
  assert.doesNotMatch(run.stdout, /\x1b/) // eslint-disable-line no-control-regex
})

test('ends quietly when nobody reads any more', async () => {
  await write('pipe', fixtures.slice(0, 2))
  const run = start(['tail', '-b', kafka.brokers, '-t', 'pipe', '--from-beginning'])
  await run.until('→')
  run.closeOutput()
  await write('pipe', fixtures)
  assert.equal(await run.exit, 0, run.stderr)
  assert.doesNotMatch(run.stderr, /EPIPE/)
})

test('Kafka away: says so, says it once, and waits', async () => {
  const run = start(['tail', '-b', '127.0.0.1:1', '-t', 'x'])
  await run.until('trying again')
  assert.match(
    run.stderr,
    /^inference-logger: Kafka does not answer at 127\.0\.0\.1:1 \(.*Connection refused\); trying again\n$/
  )
  await new Promise(resolve => setTimeout(resolve, 600))
  assert.equal(run.stderr.split('\n').length, 2, run.stderr)
  run.kill('SIGTERM')
  assert.equal(await run.exit, 0)
  assert.equal(run.stdout, '')
})

test('mistakes on the command line and in the environment are said in a sentence', async () => {
  const mistakes: [string[], Record<string, string>, RegExp][] = [
    [['-t', 'x'], {}, /Give --brokers, or set KAFKA_BROKERS/],
    [['-b', 'a b', '-t', 'x'], {}, /--brokers "a b": has to be host:port/],
    [['-b', 'a:1'], {}, /required option '-t, --topic/],
    [['-b', 'a:1', '-t', 'x y'], {}, /"x y" is no topic/],
    [['-b', 'a:1', '-t', 'x', '-n', '0'], {}, /--count 0: a whole number from 1 on/],
    [['-b', 'a:1', '-t', 'x'], { KAFKA_CONFIG_SECURITY_PROTOCL: 'ssl' }, /did you mean security.protocol\?/],
    [['-b', 'a:1', '-t', 'x'], { KAFKA_CONFIG_FILE: '/nowhere' }, /KAFKA_CONFIG_FILE="\/nowhere": cannot be read/]
  ]
  await Promise.all(
    mistakes.map(async ([args, env, message]) => {
      const run = start(['tail', ...args], env)
      assert.equal(await run.exit, 1, run.stderr)
      assert.match(run.stderr, message)
      assert.doesNotMatch(run.stderr, /^\s+at /m)
    })
  )
})
