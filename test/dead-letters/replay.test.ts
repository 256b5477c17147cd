import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockedFile } from '../../cli/dead-letters/locked-file.ts'
import { Replay, type ReplayResult, type ReplaySettings } from '../../cli/dead-letters/replay.ts'
import { idOf } from '../../cli/dead-letters/selection.ts'
import { decodeLetter } from '../../sidecar/dead-letters/letter.ts'
import { letterFiles, linesOf } from '../../sidecar/dead-letters/read.ts'
import { JudgingProducer, kafkaError } from './judging-producer.ts'
import { idsIn, Kept, storedEvent, temporaryFolder } from './letters.ts'

/** A folder with these dead letters, in several files. */
async function folderWith(t: TestContext, ids: readonly string[]): Promise<string> {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 20_000 })
  for (const id of ids) await kept.keep(storedEvent(id))
  await kept.deadLetters.close()
  return folder
}

interface Replayed {
  readonly result: ReplayResult
  readonly printed: string
  readonly producer: JudgingProducer<number>
  /** Ids of the events that Kafka took. */
  readonly taken: string[]
}

async function replay(
  folder: string,
  settings: Partial<ReplaySettings> = {},
  prepare: (producer: JudgingProducer<number>) => void = () => {}
): Promise<Replayed> {
  let printed = ''
  const replaying = new Replay({
    folder,
    isMeant: () => true,
    topic: undefined,
    format: undefined,
    keep: false,
    ensureTopic: undefined,
    print: text => {
      printed += text
      return Promise.resolve()
    },
    patienceMs: 300,
    ...settings
  })
  const producer = new JudgingProducer<number>((token, error) => replaying.onReport(token, error))
  prepare(producer)
  const polling = setInterval(() => producer.poll(), 1)
  try {
    const result = await replaying.run(producer)
    return { result, printed, producer, taken: producer.taken.map(({ key }) => String(key)) }
  } finally {
    clearInterval(polling)
  }
}

const TEN = Array.from({ length: 10 }, (_, i) => `event-${i}`)

test('what Kafka takes is gone from the files, and the files with it', async t => {
  const folder = await folderWith(t, TEN)
  assert.ok((await letterFiles(folder)).length > 2)
  const { result, taken } = await replay(folder)
  assert.deepEqual(result, { delivered: 10, refused: 0, unsent: 0, unremoved: 0 })
  assert.deepEqual(taken, TEN)
  assert.deepEqual(fs.readdirSync(folder), [])
})

test('a record is the one that was refused: topic, key, value, headers; and says that it is a replay', async t => {
  const folder = await folderWith(t, ['1'])
  const { producer } = await replay(folder)
  const [{ topic, key, value, headers } = assert.fail()] = producer.taken
  assert.deepEqual([topic, String(key), String(value)], ['a-topic', '1', 'data of 1'])
  assert.deepEqual(headers, [
    { ce_specversion: '1.0' },
    { ce_id: '1' },
    { ce_type: 'org.kubeflow.serving.inference.request' },
    { ce_source: 'http://localhost:9081/' },
    { 'content-type': 'application/json' },
    { 'inference-logger-replayed': 'true' }
  ])
})

test('another topic and another format may be asked for', async t => {
  const folder = await folderWith(t, ['1'])
  const { producer } = await replay(folder, { topic: 'elsewhere', format: 'structured' })
  const [{ topic, value } = assert.fail()] = producer.taken
  assert.equal(topic, 'elsewhere')
  assert.equal((JSON.parse(String(value)) as { id: string }).id, '1')
})

test('what is refused again stays, as it was, with what is not meant and what cannot be read; a reason is printed', async t => {
  const folder = await folderWith(t, TEN)
  const [first = ''] = await letterFiles(folder)
  const path = join(folder, first)
  fs.writeFileSync(path, `not a letter\n${fs.readFileSync(path, 'utf8')}{"version":1,"torn":`)
  const before = await linesWithout(folder, [])
  const { result, printed } = await replay(folder, { isMeant: letter => idOf(letter) !== 'event-1' }, producer => {
    producer.judge = ({ key }) => (String(key) === 'event-3' ? kafkaError(10) : 'taken')
  })
  assert.deepEqual(result, { delivered: 8, refused: 1, unsent: 0, unremoved: 0 })
  assert.equal(printed, 'refused again: event-3 for a-topic: error 10\n')
  assert.deepEqual(await linesWithout(folder, []), ['not a letter\n', before[2], before[4]])
})

/** The complete lines in a folder, without those of some events. */
async function linesWithout(folder: string, ids: readonly string[]): Promise<string[]> {
  const lines = (await letterFiles(folder)).flatMap(name => [...linesOf(fs.readFileSync(join(folder, name)))])
  return lines
    .filter(({ content }) => content !== 'torn' && (typeof content === 'string' || !ids.includes(idOf(content))))
    .map(({ bytes }) => String(bytes))
}

test('with --keep the files stay as they are', async t => {
  const folder = await folderWith(t, TEN)
  const { result } = await replay(folder, { keep: true })
  assert.equal(result.delivered, 10)
  assert.deepEqual(await idsIn(folder), TEN)
})

test('when Kafka does not answer, the rest is not sent, and everything stays', async t => {
  const folder = await folderWith(t, TEN)
  const started = performance.now()
  const { result } = await replay(folder, {}, producer => (producer.judge = () => 'silence'))
  assert.ok(performance.now() - started < 3000)
  assert.deepEqual(result, { delivered: 0, refused: 0, unsent: 10, unremoved: 0 })
  assert.deepEqual(await idsIn(folder), TEN)
})

test('when it ceases to answer half-way, what it took is gone from the files and the rest stays', async t => {
  const folder = await folderWith(t, TEN)
  let answers = 5
  const { result } = await replay(
    folder,
    {},
    producer => (producer.judge = () => (answers-- > 0 ? 'taken' : 'silence'))
  )
  assert.deepEqual(result, { delivered: 5, refused: 0, unsent: 5, unremoved: 0 })
  assert.deepEqual(await idsIn(folder), TEN.slice(5))
})

test('a full queue of the producer is waited for; a producer beyond repair says nothing about a record', async t => {
  const folder = await folderWith(t, TEN)
  let refusals = 2
  const full = await replay(folder, { isMeant: letter => idOf(letter) < 'event-5' }, producer => {
    producer.refuse = () => (refusals-- > 0 ? kafkaError(-184) : undefined)
  })
  assert.equal(full.result.delivered, 5)
  const fatal = await replay(folder, {}, producer => (producer.judge = () => kafkaError(-150)))
  assert.deepEqual(fatal.result, { delivered: 0, refused: 0, unsent: 5, unremoved: 0 })
})

test('each topic is made sure of once; one that cannot be created is a refusal', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  for (const id of TEN) await kept.keep(storedEvent(id, 'x', id < 'event-5' ? 'good' : 'bad'))
  await kept.deadLetters.close()
  const asked: string[] = []
  const { result, printed } = await replay(folder, {
    ensureTopic: topic => {
      asked.push(topic)
      return Promise.resolve(topic === 'good' ? 'ready' : { refused: kafkaError(37) })
    }
  })
  assert.deepEqual(asked, ['good', 'bad'])
  assert.deepEqual(result, { delivered: 5, refused: 5, unsent: 0, unremoved: 0 })
  assert.match(printed, /^refused again: event-5 for bad: error 37$/m)
})

test('what a sender chose cannot drive a terminal', async t => {
  const folder = await folderWith(t, ['\u001b[31mred'])
  const { printed } = await replay(folder, {}, producer => (producer.judge = () => kafkaError(10)))
  assert.equal(printed, 'refused again: \\x1b[31mred for a-topic: error 10\n')
})

test('a file that cannot be written again is left as it was, and said so', async t => {
  const folder = await folderWith(t, ['1', '2'])
  t.mock.method(fs, 'rename', ((_from: string, _to: string, done: (error: Error) => void) =>
    done(new Error('EROFS'))) as unknown as typeof fs.rename)
  const { result, printed } = await replay(folder, { isMeant: letter => idOf(letter) === '1' })
  assert.deepEqual(result, { delivered: 1, refused: 0, unsent: 0, unremoved: 1 })
  assert.match(printed, /cannot be removed from .*: EROFS/)
  assert.deepEqual(await idsIn(folder), ['1', '2'])
  assert.deepEqual(
    fs.readdirSync(folder).filter(name => name.endsWith('.tmp')),
    []
  )
})

test('a file in the hands of another replay is left out, and counts as not sent', async t => {
  const folder = await folderWith(t, ['1'])
  const other = await LockedFile.open(folder, (await letterFiles(folder))[0] ?? '')
  const { result, printed } = await replay(folder)
  assert.deepEqual(result, { delivered: 0, refused: 0, unsent: 1, unremoved: 0 })
  assert.match(printed, /is being written by another process/)
  await other?.close()
  assert.equal((await replay(folder)).result.delivered, 1)
})

test('a sidecar that keeps letters while they are replayed: each is delivered once and none is lost', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 400_000 })
  const ids = Array.from({ length: 150 }, (_, i) => String(i))
  let isWriting = true
  const writing = (async () => {
    for (const id of ids) {
      assert.equal(await kept.keep(storedEvent(id)), true)
      // Now and then the two meet within a write, now and then between two.
      if (Number(id) % 3 === 0) await sleep(Number(id) % 4)
    }
    isWriting = false
  })()
  const taken: string[] = []
  let rounds = 0
  while (isWriting) {
    taken.push(...(await replay(folder, { isMeant: letter => Number(idOf(letter)) % 5 !== 0 })).taken)
    rounds++
  }
  await writing
  taken.push(...(await replay(folder)).taken)
  assert.ok(rounds > 3, `${rounds} rounds`)
  assert.deepEqual(
    taken.sort((a, b) => Number(a) - Number(b)),
    ids
  )
  assert.deepEqual(fs.readdirSync(folder), [])
})

test('a sidecar goes on in a new file when a replay holds the one it wrote, and after a replay changed it', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('1'))
  const [first = ''] = await letterFiles(folder)
  const file = await LockedFile.open(folder, first)
  assert.equal(file?.isTaken, false)
  await kept.keep(storedEvent('2'))
  assert.deepEqual([(await letterFiles(folder)).length, await idsIn(folder)], [2, ['1', '2']])
  await file?.replace([])
  await file?.close()
  assert.deepEqual(await idsIn(folder), ['2'])
  await kept.keep(storedEvent('3'))
  assert.equal((await letterFiles(folder)).length, 1, 'its own file is as it left it')
  const [own = ''] = await letterFiles(folder)
  const changed = await LockedFile.open(folder, own)
  const [, third] = [...linesOf(changed?.content ?? Buffer.alloc(0))]
  await changed?.replace([third?.bytes ?? Buffer.alloc(0)])
  await changed?.close()
  await kept.keep(storedEvent('4'))
  assert.deepEqual(await idsIn(folder), ['3', '4'])
  for (const name of await letterFiles(folder)) {
    for (const { bytes } of linesOf(fs.readFileSync(join(folder, name))))
      assert.equal(typeof decodeLetter(bytes), 'object')
  }
})

test('a file that was replaced between being opened and being locked is not written to', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('1'))
  const [name = ''] = await letterFiles(folder)
  const open = fs.open.bind(fs) as (...args: unknown[]) => void
  let replaced = false
  t.mock.method(fs, 'open', ((path: string, flags: string, mode: number, done: (error: null, fd: number) => void) => {
    open(path, flags, mode, (error: null, fd: number) => {
      if (path === join(folder, name) && flags === 'r+') {
        // The same size, so that nothing but the identity tells the two apart.
        fs.copyFileSync(path, `${path}.tmp`)
        fs.renameSync(`${path}.tmp`, path)
        replaced = true
      }
      done(error, fd)
    })
  }) as unknown as typeof fs.open)
  assert.equal(await kept.keep(storedEvent('2')), true)
  assert.ok(replaced)
  assert.deepEqual(await idsIn(folder), ['1', '2'])
})

test('a file in which a crash left no whole letter is removed', async t => {
  const folder = await folderWith(t, ['1'])
  fs.writeFileSync(join(folder, '20200101T000000.000Z-000000.jsonl'), '')
  fs.writeFileSync(join(folder, '20200101T000000.000Z-000001.jsonl'), '{"version":1,')
  assert.equal((await replay(folder, { keep: true })).result.delivered, 1)
  assert.equal(fs.readdirSync(folder).length, 3)
  await replay(folder)
  assert.deepEqual(fs.readdirSync(folder), [])
})
