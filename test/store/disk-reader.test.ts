import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { directoryFor, segmentsIn, turns, until } from '../journal/open-journal.ts'
import { segmentName } from '../../sidecar/journal/format.ts'
import {
  append,
  appendEach,
  deliver,
  numbersOf,
  openStore,
  range,
  seconds,
  take,
  type OpenStore
} from './open-store.ts'

const TIMERS = { apis: ['setTimeout', 'setInterval'] as ('setTimeout' | 'setInterval')[] }
const SEGMENT = /\.journal$/

/** A store that has to read everything back: an earlier run left it. */
async function leftBehind(
  t: TestContext,
  count: number,
  options: Parameters<typeof openStore>[2] & { bytes?: number } = {}
): Promise<OpenStore & { directory: string }> {
  t.mock.timers.enable(TIMERS)
  const directory = directoryFor(t)
  const first = openStore(t, directory, options)
  await appendEach(first.store, range(1, count), { bytes: options.bytes ?? 100 })
  await first.store.close()
  const opened = openStore(t, directory, options)
  await until(() => !opened.store.isRecovering)
  return { ...opened, directory }
}

/** Sets off reading. */
function ask(store: OpenStore['store']): void {
  for (const queue of store.queues()) queue.peek()
}

const reads = ({ fs: disk }: OpenStore): number => disk.count('read', SEGMENT)

describe('reading back', () => {
  test('reads many events at once, and none twice', async t => {
    const opened = await leftBehind(t, 300)
    const before = reads(opened)
    assert.deepEqual(numbersOf(await deliver(opened.store, 300)), range(1, 300))
    assert.ok(reads(opened) - before < 20, `${reads(opened) - before} reads`)
  })

  test('does not go on in memory’s bound, however often it is asked', async t => {
    const opened = await leftBehind(t, 300, { memoryMaxBytes: 100_000, bytes: 2000 })
    const { store } = opened
    await take(store, 1)
    await turns(200)
    const before = [reads(opened), store.pendingBytes]
    const [queue] = store.queues()
    for (let asked = 0; asked < 50; asked++) {
      queue?.peek()
      await turns(1)
    }
    assert.deepEqual([reads(opened), store.pendingBytes], before)
    assert.ok(store.pendingBytes < 110_000)
  })

  test('has one read under way for a topic', async t => {
    const { store, fs: disk } = await leftBehind(t, 10)
    disk.hold('read')
    for (const queue of store.queues()) for (let asked = 0; asked < 5; asked++) assert.equal(queue.peek(), undefined)
    assert.equal(disk.waiting, 1)
  })

  test('says when something was read', async t => {
    const { store } = await leftBehind(t, 3)
    let available = 0
    store.onAvailable = () => available++
    const [queue] = store.queues()
    assert.equal(queue?.peek(), undefined)
    await until(() => available === 1)
    assert.notEqual(queue?.peek(), undefined)
  })

  test('events larger than what is read at once come whole', async t => {
    const opened = await leftBehind(t, 3, { journal: { maxBytes: 1e7 }, bytes: 600_000 })
    const events = await deliver(opened.store, 3)
    assert.deepEqual(numbersOf(events), [1, 2, 3])
    assert.ok(events.every(({ event }) => event.data.length === 600_000 && event.data.every(byte => byte === 0x78)))
  })

  test('short reads are continued', async t => {
    const { store, fs: disk } = await leftBehind(t, 20)
    disk.shorten('read', 50)
    assert.deepEqual(numbersOf(await deliver(store, 20)), range(1, 20))
    assert.deepEqual(disk.open.size, 0)
  })

  test('an error is tried again each second, and costs nothing when it passes', async t => {
    const { store, fs: disk, told, dropped } = await leftBehind(t, 5)
    disk.fail('read', 'EIO', { times: 4 })
    ask(store)
    await turns()
    await seconds(t, 4)
    assert.deepEqual(numbersOf(await deliver(store, 5)), range(1, 5))
    assert.equal(told.filter(line => line === 'failed read EIO').length, 4)
    assert.deepEqual(dropped, {})
  })

  test('an event that the disk does not give in five attempts lets others pass, and is tried again: time drops nothing', async t => {
    const { store, fs: disk, dropped } = await leftBehind(t, 3)
    disk.fail('read', 'EIO', { times: 5 })
    ask(store)
    await turns()
    await seconds(t, 5)
    assert.equal(store.pendingEvents, 3)
    assert.deepEqual(numbersOf(await deliver(store, 3)), [2, 3, 1])
    assert.deepEqual(dropped, {})
    await store.close()
    assert.equal(store.journal.bytes, 0)
  })

  test('an event that can never be read holds up nobody for long, and stays pending', async t => {
    const { store, fs: disk, dropped } = await leftBehind(t, 1)
    disk.fail('read', 'EIO')
    ask(store)
    await turns()
    await seconds(t, 60)
    assert.equal(store.pendingEvents, 1)
    assert.deepEqual(dropped, {})
    disk.heal()
    await seconds(t, 1)
    assert.deepEqual(numbersOf(await deliver(store, 1)), [1])
  })

  // Read-ahead threw away what it had read when a later page failed: whole records in front of it were given up.
  test('regression: a bad page behind a record does not keep it from being delivered', async t => {
    const { store, fs: disk, directory, dropped } = await leftBehind(t, 20)
    const { size } = fs.statSync(join(directory, segmentName(segmentsIn(directory)[0] ?? 0)))
    // In the sixth record.
    const badPage = Math.floor(64 + ((size - 64) / 20) * 5) + 3
    const read = disk.read.bind(disk)
    let bad = true
    disk.read = (fd, bytes, offset, length, position, done) => {
      // The kernel gives what is in front of the page, and then the error.
      if (!bad || position + length <= badPage) return read(fd, bytes, offset, length, position, done)
      if (position < badPage) return read(fd, bytes, offset, badPage - position, position, done)
      setImmediate(() => done(Object.assign(new Error('EIO'), { code: 'EIO' }), 0))
    }
    const before = numbersOf(await deliver(store, 5))
    assert.deepEqual(before, range(1, 5))
    await seconds(t, 30)
    assert.equal(store.pendingEvents, 15)
    bad = false
    await seconds(t, 6)
    assert.equal((await deliver(store, 15)).length, 15)
    assert.deepEqual(dropped, {})
  })

  // Five seconds without a free descriptor, and an accepted event was gone.
  test('an error that says nothing about the file never costs an event', async t => {
    const { store, fs: disk, told, dropped } = await leftBehind(t, 3)
    disk.fail('open', 'EMFILE')
    ask(store)
    await seconds(t, 12)
    assert.equal(told.filter(line => line === 'failed read EMFILE').length, 13)
    assert.deepEqual(dropped, {})
    disk.heal()
    await seconds(t)
    assert.deepEqual(numbersOf(await deliver(store, 3)), [1, 2, 3])
  })

  test('a damaged record is given up and counted, and those around it are delivered', async t => {
    const { store, directory, told, dropped } = await leftBehind(t, 5)
    const path = join(directory, segmentName(segmentsIn(directory)[0] ?? 0))
    const bytes = fs.readFileSync(path)
    const size = (bytes.length - 64) / 5
    fs.writeFileSync(path, bytes.fill(0, 64 + 2 * size + 50, 64 + 2 * size + 60))
    assert.deepEqual(numbersOf(await deliver(store, 4)), [1, 2, 4, 5])
    assert.deepEqual(dropped, { journal_unreadable: 1 })
    assert.ok(told.includes('quarantined record'))
    const [kept = ''] = fs.readdirSync(join(directory, 'quarantine'))
    assert.equal(fs.statSync(join(directory, 'quarantine', kept)).size, size)
    assert.equal(store.pendingEvents, 0)
  })

  test('a file that is gone costs what was in it, counted', async t => {
    const { store, directory, dropped } = await leftBehind(t, 2)
    fs.rmSync(join(directory, segmentName(segmentsIn(directory)[0] ?? 0)))
    await append(store, [3])
    ask(store)
    await seconds(t, 15)
    assert.deepEqual(dropped, { journal_unreadable: 2 })
    assert.deepEqual(numbersOf(await deliver(store, 1)), [3])
    assert.equal(store.pendingEvents, 0)
  })

  test('what compaction moves meanwhile is read where it is then', async t => {
    t.mock.timers.enable(TIMERS)
    const journal = { maxBytes: 128 * 1024, segmentBytes: 16 * 1024 }
    const { store, fs: disk } = openStore(t, directoryFor(t), { memoryMaxBytes: 4000, journal })
    for (let i = 1; i <= 6; i++) {
      await append(store, [i], { topic: 'slow', bytes: 1000 })
      for (let other = 0; other < 12; other++) await append(store, [other], { bytes: 1000 })
      await deliver(store, 12)
    }
    const { segments } = store.journal
    assert.ok(segments >= 5)
    disk.hold('read')
    const events = numbersOf(await take(store, 1, 'slow'))
    await until(() => disk.waiting === 1, 'the reading of the next events')
    t.mock.timers.tick(1000)
    await until(() => disk.waiting === 2, 'the compaction’s')
    disk.letGoFrom(1)
    await until(() => store.journal.segments < segments)
    disk.letGo()
    events.push(...numbersOf(await take(store, 5, 'slow')))
    assert.deepEqual(events, range(1, 6))
  })

  test('nothing is read after the end', async t => {
    const opened = await leftBehind(t, 3)
    opened.fs.fail('read', 'EIO')
    ask(opened.store)
    await turns()
    await opened.store.close()
    const before = reads(opened)
    await seconds(t, 3)
    assert.equal(reads(opened), before)
    assert.equal(opened.fs.open.size, 0)
  })
})
