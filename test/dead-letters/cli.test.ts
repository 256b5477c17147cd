import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEAD_LETTERS_FOLDER } from '../../sidecar/dead-letters/names.ts'
import { letterFiles } from '../../sidecar/dead-letters/read.ts'
import { CliProcess } from '../cli/cli-process.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { idsIn, Kept, storedEvent, temporaryFolder } from './letters.ts'

/** A journal's directory with dead letters: `events` by id, with their data. */
async function directoryWith(t: TestContext, events: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const directory = temporaryFolder(t)
  const folder = join(directory, DEAD_LETTERS_FOLDER)
  const kept = new Kept(t, { folder, now: () => Date.parse('2026-11-22T10:36:01.389Z') })
  for (const [id, data] of Object.entries(events)) {
    const reason = id.startsWith('invalid') ? 'invalid_record' : 'record_too_large'
    const error = { code: 10, name: 'msg_size_too_large', message: 'Broker: Message size too large' }
    await kept.keep(storedEvent(id, data, `topic-${reason}`), { reason, error })
  }
  await kept.deadLetters.close()
  return directory
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i))

describe('dead-letters list', { concurrency: 2 }, () => {
  test('shows a line for each, oldest first, and how much there is', async t => {
    const directory = await directoryWith(t, { first: 'x'.repeat(5000), 'invalid 日本 \u001b[2J': ALL_BYTES })
    const { code, stdout, stderr } = await CliProcess.run(t, ['dead-letters', 'list', '--dir', directory])
    assert.deepEqual([code, stderr], [0, ''])
    const type = 'org.kubeflow.serving.inference.request'
    assert.deepEqual(stdout.split('\n').slice(0, 4), [
      `REFUSED                   REASON            TOPIC                   ID                    TYPE                                    SIZE     ERROR`,
      `2026-11-22T10:36:01.389Z  record_too_large  topic-record_too_large  first                 ${type}  4.9 KiB  Broker: Message size too large`,
      `2026-11-22T10:36:01.389Z  invalid_record    topic-invalid_record    invalid 日本 \\x1b[2J  ${type}  256 B    Broker: Message size too large`,
      ''
    ])
    const folder = join(directory, DEAD_LETTERS_FOLDER)
    const size = fs.statSync(join(folder, (await letterFiles(folder))[0] ?? '')).size
    assert.equal(
      stdout.split('\n')[4],
      `2 dead letters, 5.1 KiB of data, in 1 file (${(size / 1024).toFixed(1)} KiB) in ${folder}`
    )
  })

  test('with --json it is one object a line, for scripts', async t => {
    const directory = await directoryWith(t, { first: 'abc', second: '' })
    const { stdout } = await CliProcess.run(t, ['dead-letters', 'list', '--json'], {
      INFERENCE_LOGGER_JOURNAL_DIR: directory
    })
    const lines = stdout.trimEnd().split('\n')
    const objects = lines.map(line => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      objects.map(({ time, reason, topic, size, receivedTime }) => [time, reason, topic, size, receivedTime]),
      [3, 0].map(size => [
        '2026-11-22T10:36:01.389Z',
        'record_too_large',
        'topic-record_too_large',
        size,
        '2023-11-14T22:13:20.123Z'
      ])
    )
    const attributes = objects[0]?.['attributes'] as { name: string }[]
    assert.deepEqual(attributes[1], { name: 'id', value: 'first' })
  })

  test('lines that are no dead letters are told of, and a copy of the folder is as good as the journal', async t => {
    const folder = join(await directoryWith(t, { first: 'abc' }), DEAD_LETTERS_FOLDER)
    const file = join(folder, (await letterFiles(folder))[0] ?? '')
    fs.writeFileSync(file, `${fs.readFileSync(file, 'utf8')}nonsense\n{"version":9}\n{"version":1`)
    const { code, stdout } = await CliProcess.run(t, ['dead-letters', 'list', '--dir', folder])
    assert.equal(code, 0)
    assert.match(stdout, /^1 dead letter, 3 B of data, in 1 file/m)
    assert.match(stdout, /^1 line: damaged/m)
    assert.match(stdout, /^1 line: written by a later release/m)
    assert.match(stdout, /^1 line: not complete/m)
  })

  test('it changes nothing', async t => {
    const directory = await directoryWith(t, { first: 'abc' })
    const folder = join(directory, DEAD_LETTERS_FOLDER)
    const file = join(folder, (await letterFiles(folder))[0] ?? '')
    const before = [fs.readFileSync(file), fs.statSync(file).mtimeMs, fs.readdirSync(directory)]
    await CliProcess.run(t, ['dead-letters', 'list', '--dir', directory])
    assert.deepEqual([fs.readFileSync(file), fs.statSync(file).mtimeMs, fs.readdirSync(directory)], before)
  })

  test('where nothing was set aside, it says so; where there is no directory, it is an error', async t => {
    const directory = temporaryFolder(t)
    const nothing = await CliProcess.run(t, ['dead-letters', 'list', '--dir', directory])
    assert.deepEqual(
      [nothing.code, nothing.stdout],
      [0, `no dead letters in ${join(directory, DEAD_LETTERS_FOLDER)}\n`]
    )
    const missing = await CliProcess.run(t, ['dead-letters', 'list', '--dir', join(directory, 'missing')])
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /^inference-logger: .*missing cannot be read \(ENOENT.*--dir\n$/)
  })

  test('it needs no node-rdkafka', async t => {
    const directory = await directoryWith(t, { first: 'abc' })
    const preload = join(directory, 'no-add-ons.cjs')
    fs.writeFileSync(preload, 'process.dlopen = () => { throw new Error("no add-on can be loaded") }')
    const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
    const run = (...args: string[]) =>
      spawnSync(process.execPath, ['--require', preload, main, 'dead-letters', ...args, '--dir', directory], {
        encoding: 'utf8'
      })
    assert.match(run('list').stdout, /^1 dead letter/m)
    assert.match(run('replay', '-b', 'a:1').stderr, /node-rdkafka is not built/)
  })
})

describe('dead-letters replay', { concurrency: 2 }, () => {
  test('delivers byte for byte, and removes what was delivered', async t => {
    const cluster = await MockCluster.start(t)
    const directory = await directoryWith(t, { first: ALL_BYTES, second: '', 'invalid one': 'x'.repeat(100_000) })
    const { code, stdout, stderr } = await CliProcess.run(
      t,
      ['dead-letters', 'replay', '--dir', directory, '--topic', 'again'],
      { KAFKA_BROKERS: cluster.brokers, INFERENCE_LOGGER_CREATE_TOPICS: 'false' }
    )
    assert.deepEqual([code, stderr], [0, ''], stdout)
    assert.equal(stdout, '3 delivered; what was delivered is removed from the files\n')
    const records = await cluster.consume('again', 3)
    const byKey = new Map(records.map(({ key, value }) => [String(key), value]))
    assert.deepEqual(byKey.get('first'), ALL_BYTES)
    assert.deepEqual(byKey.get('second'), Buffer.alloc(0))
    assert.deepEqual(byKey.get('invalid one'), Buffer.alloc(100_000, 'x'))
    assert.deepEqual(await idsIn(join(directory, DEAD_LETTERS_FOLDER)), [])
  })

  test('--id and --reason choose; --dry-run sends nothing; --keep removes nothing', async t => {
    const cluster = await MockCluster.start(t)
    const directory = await directoryWith(t, { first: '1', second: '2', third: '3', 'invalid one': '4' })
    const folder = join(directory, DEAD_LETTERS_FOLDER)
    const all = ['first', 'second', 'third', 'invalid one']
    const replay = (...args: string[]) =>
      CliProcess.run(t, ['dead-letters', 'replay', '--dir', directory, '-b', cluster.brokers, ...args], {
        INFERENCE_LOGGER_CREATE_TOPICS: 'false'
      })
    const dry = await replay('--id', 'first', 'third', '--dry-run')
    assert.equal(dry.code, 0)
    assert.match(dry.stdout, /^\S+Z .* first .*\n\S+Z .* third .*\n\n2 dead letters.*\nnothing was sent\n$/m)
    assert.deepEqual(await idsIn(folder), all)
    const kept = await replay('--reason', 'invalid_record', '--keep', '--format', 'structured')
    assert.equal(kept.stdout, '1 delivered; the files stay as they are\n')
    assert.deepEqual(await idsIn(folder), all)
    const [record] = await cluster.consume('topic-invalid_record', 1)
    assert.equal((JSON.parse(String(record?.value)) as { id: string }).id, 'invalid one')
    const two = await replay('--id', 'first', 'third')
    assert.match(two.stdout, /^2 delivered;/)
    assert.deepEqual(await idsIn(folder), ['second', 'invalid one'])
    const none = await replay('--id', 'nobody')
    assert.deepEqual([none.code, none.stdout], [0, 'no dead letters to replay\n'])
  })

  const wrong: Readonly<Record<string, [args: string[], message: RegExp]>> = {
    'no brokers': [[], /^inference-logger: where is Kafka\? Give --brokers, or set KAFKA_BROKERS\n$/],
    'brokers that are none': [['-b', 'a b'], /--brokers "a b": has to be host:port/],
    'a topic with a placeholder': [['-b', 'a:1', '-t', '{type}'], /--topic \{type\}: has to be a topic name/],
    'an unknown format': [['-b', 'a:1', '--format', 'avro'], /--format avro: has to be one of cloudevent/],
    'an unknown option': [['--nonsense'], /unknown option '--nonsense'/]
  }
  for (const [what, [args, message]] of Object.entries(wrong)) {
    test(`${what}: exit code 2, and what to do`, async t => {
      const directory = await directoryWith(t, { first: '1' })
      const { code, stderr } = await CliProcess.run(t, ['dead-letters', 'replay', '--dir', directory, ...args])
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
    })
  }

  test('a Kafka property that is none is exit code 2, too', async t => {
    const directory = await directoryWith(t, { first: '1' })
    const env = { KAFKA_BROKERS: 'a:1', KAFKA_CONFIG_ACKS: 'some' }
    const { code, stderr } = await CliProcess.run(t, ['dead-letters', 'replay', '--dir', directory], env)
    assert.equal(code, 2)
    assert.match(stderr, /KAFKA_CONFIG_ACKS="some"/)
  })
})
