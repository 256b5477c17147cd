import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { idOf } from '../../cli/dead-letters/selection.ts'
import { letterFiles, linesOf } from '../../sidecar/dead-letters/read.ts'
import { kafkaError } from './judging-producer.ts'
import { idsIn, Kept, storedEvent, temporaryFolder } from './letters.ts'
import { folderWith, replay } from './replaying.ts'

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

test('a file in which a crash left no whole letter is removed', async t => {
  const folder = await folderWith(t, ['1'])
  fs.writeFileSync(join(folder, '20200101T000000.000Z-000000.jsonl'), '')
  fs.writeFileSync(join(folder, '20200101T000000.000Z-000001.jsonl'), '{"version":1,')
  assert.equal((await replay(folder, { keep: true })).result.delivered, 1)
  assert.equal(fs.readdirSync(folder).length, 3)
  await replay(folder)
  assert.deepEqual(fs.readdirSync(folder), [])
})
