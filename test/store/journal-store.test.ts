import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { JournalInUseError } from '../../sidecar/journal/errors.ts'
import { segmentName } from '../../sidecar/journal/format.ts'
import { lockDirectory } from '../../sidecar/journal/lock.ts'
import type { AppendOutcome } from '../../sidecar/store/store.ts'
import { eventOf } from '../journal/arbitraries.ts'
import { directoryFor, segmentsIn, sequencesIn, turns, until } from '../journal/open-journal.ts'
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

/** Small segments and a bound of four of them. */
const SMALL = { maxBytes: 64 * 1024, segmentBytes: 16 * 1024 }

/** What a store that is opened on the directory now delivers, in order. */
async function pendingAfterwards(t: TestContext, directory: string): Promise<number[]> {
  const { store } = openStore(t, directory)
  await until(() => !store.isRecovering)
  const events = await take(store, store.pendingEvents)
  await store.close()
  return numbersOf(events)
}

describe('a store on a journal', () => {
  test('answers when events are written, and hands them out in order', async t => {
    const directory = directoryFor(t)
    const { store } = openStore(t, directory)
    let told = 0
    store.onAccepted = events => (told += events.length)
    assert.equal(await append(store, [1, 2, 3]), 'stored')
    assert.deepEqual([store.pendingEvents, store.volatileEvents, told], [3, 0, 3])
    assert.equal(sequencesIn(directory).length, 3)
    const events = await take(store, 3)
    assert.deepEqual(numbersOf(events), [1, 2, 3])
    assert.ok(events.every(({ replayed }) => !replayed))
    for (const event of events) store.release(event)
    assert.deepEqual([store.pendingEvents, store.pendingBytes, store.oldestReceivedAt()], [0, 0, undefined])
  })

  test('keeps what is pending at its end; the next hands it out first, as replayed, and numbers go on', async t => {
    const directory = directoryFor(t)
    const first = openStore(t, directory)
    await appendEach(first.store, range(1, 5))
    const [one, , three] = await take(first.store, 3)
    assert.ok(one && three)
    first.store.release(three)
    first.store.release(one)
    await first.store.close()
    const { store, told } = openStore(t, directory)
    await append(store, [6])
    await until(() => !store.isRecovering)
    assert.deepEqual(
      told.filter(line => !line.startsWith('committed')),
      ['replayed 3', 'recovered 3']
    )
    const events = await take(store, 4)
    assert.deepEqual(numbersOf(events), [2, 4, 5, 6])
    assert.deepEqual(
      events.map(({ replayed }) => replayed),
      [true, true, true, false]
    )
    const sequences = events.map(({ sequence }) => sequence)
    assert.deepEqual(
      sequences,
      [...sequences].sort((a, b) => a - b)
    )
    assert.ok((sequences[3] ?? 0) > 5)
  })

  test('tells the age of the oldest pending event, wherever it is', async t => {
    const directory = directoryFor(t)
    const first = openStore(t, directory)
    await append(first.store, [1], { receivedAt: 5000 })
    await append(first.store, [2], { receivedAt: 6000 })
    assert.equal(first.store.oldestReceivedAt(), 5000)
    await first.store.close()
    const { store } = openStore(t, directory)
    await append(store, [3], { receivedAt: 7000 })
    await until(() => !store.isRecovering)
    assert.equal(store.oldestReceivedAt(), 5000)
    await deliver(store, 2)
    assert.equal(store.oldestReceivedAt(), 7000)
  })

  test('takes an empty request', async t => {
    const { store } = openStore(t, directoryFor(t))
    assert.equal(await append(store, []), 'stored')
  })

  test('says that something is available when a queue has something again', async t => {
    const { store } = openStore(t, directoryFor(t))
    await until(() => !store.isRecovering)
    let available = 0
    store.onAvailable = () => available++
    await append(store, [1])
    assert.equal(available, 1)
    await append(store, [2])
    assert.equal(available, 1)
    await deliver(store, 2)
    await append(store, [3])
    assert.equal(available, 2)
  })

  test('is full at its bound, and has room when a segment is delivered', async t => {
    const { store } = openStore(t, directoryFor(t), { journal: SMALL })
    let accepted = 0
    while ((await append(store, [accepted + 1], { bytes: 1000 })) === 'stored') accepted++
    assert.ok(accepted > 40)
    assert.equal(store.pendingEvents, accepted)
    assert.ok(store.journal.bytes <= SMALL.maxBytes)
    assert.equal(await append(store, [0]), 'stored', 'a smaller one still fits')
    await deliver(store, 15)
    assert.equal(await append(store, [0], { bytes: 1000 }), 'stored')
  })

  test('one topic that does not take its events leaves others their place', async t => {
    t.mock.timers.enable(TIMERS)
    const { store } = openStore(t, directoryFor(t), { journal: { maxBytes: 128 * 1024, segmentBytes: 16 * 1024 } })
    for (let round = 1; round <= 60; round++) {
      assert.equal(await append(store, [round], { topic: 'stuck', bytes: 500 }), 'stored')
      for (let i = 0; i < 10; i++) assert.equal(await append(store, [i], { bytes: 1000 }), 'stored')
      await deliver(store, 10)
      if (round % 2 === 1) continue
      const { bytes } = store.journal
      await seconds(t)
      // Half full, it is compacted.
      if (bytes >= 64 * 1024) await until(() => store.journal.bytes < bytes, 'the end of the compaction')
    }
    assert.equal(store.pendingEvents, 60)
    assert.deepEqual(numbersOf(await deliver(store, 60, 'stuck')), range(1, 60))
    await seconds(t)
    assert.deepEqual([store.journal.bytes, store.journal.segments], [0, 0])
  })
})

describe('memory', () => {
  // 100 events of 10 KB; a fifth of them fits into memory.
  const MEMORY = { memoryMaxBytes: 200_000, journal: { maxBytes: 16 * 1024 * 1024 } }
  const LARGE = { bytes: 10_000 }

  test('holds what is about to be delivered; the rest is read back in order', async t => {
    const { store } = openStore(t, directoryFor(t), MEMORY)
    await appendEach(store, range(1, 100), LARGE)
    assert.ok(store.pendingBytes <= 200_000)
    assert.equal(store.pendingEvents, 100)
    const events: number[] = []
    while (events.length < 100) {
      events.push(...numbersOf(await deliver(store, 1)))
      assert.ok(store.pendingBytes <= 200_000 + 2 * 11_200, `${store.pendingBytes} bytes`)
    }
    assert.deepEqual(events, range(1, 100))
    assert.deepEqual([store.pendingEvents, store.pendingBytes], [0, 0])
  })

  test('of several topics that are stuck is shared, and each goes on when it can', async t => {
    const { store } = openStore(t, directoryFor(t), MEMORY)
    for (let i = 1; i <= 40; i++) {
      for (const topic of ['a-topic', 'b-topic', 'c-topic']) await append(store, [i], { topic, ...LARGE })
    }
    assert.ok(store.pendingBytes <= 200_000)
    for (const topic of ['c-topic', 'a-topic', 'b-topic']) {
      assert.deepEqual(numbersOf(await deliver(store, 40, topic)), range(1, 40))
    }
    assert.deepEqual([store.pendingEvents, store.pendingBytes], [0, 0])
  })

  test('events keep their order while new ones come between', async t => {
    const { store } = openStore(t, directoryFor(t), MEMORY)
    await appendEach(store, range(1, 60), LARGE)
    const events = numbersOf(await deliver(store, 30))
    await appendEach(store, range(61, 90), LARGE)
    events.push(...numbersOf(await deliver(store, 40)))
    await appendEach(store, range(91, 100), LARGE)
    events.push(...numbersOf(await deliver(store, 30)))
    assert.deepEqual(events, range(1, 100))
  })

  test('is not taken by what comes while earlier runs’ events are still read', async t => {
    const directory = directoryFor(t)
    const first = openStore(t, directory, MEMORY)
    await appendEach(first.store, range(1, 5), LARGE)
    await first.store.close()
    const { store, fs: disk } = openStore(t, directory, MEMORY)
    disk.hold('read')
    await appendEach(store, range(6, 50), LARGE)
    assert.equal(store.pendingBytes, 0)
    disk.letGo()
    await until(() => !store.isRecovering)
    assert.deepEqual(numbersOf(await deliver(store, 50)), range(1, 50))
  })

  test('that events took while the journal failed is free again when they are in it', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk } = openStore(t, directoryFor(t), MEMORY)
    await appendEach(store, range(1, 30), LARGE)
    disk.fail('write', 'EIO')
    assert.deepEqual(new Set(await appendEach(store, range(31, 36), LARGE)), new Set(['stored']))
    const before = store.pendingBytes
    disk.heal()
    await seconds(t)
    assert.ok(store.pendingBytes < before)
    assert.deepEqual(numbersOf(await deliver(store, 36)), range(1, 36))
    await appendEach(store, range(1, 8), LARGE)
    const [first] = await take(store, 1)
    assert.equal(store.pendingBytes, 8 * (first?.bytes ?? 0), 'all of them stay in memory')
  })

  // Requests that waited for a disk that hangs filled memory up to the journal's bound.
  test('is the bound of what waits to be written', async t => {
    const { store, fs: disk } = openStore(t, directoryFor(t), {
      memoryMaxBytes: 50_000,
      journal: { maxBytes: 1e9, fsync: true }
    })
    disk.hold('sync')
    const outcomes: AppendOutcome[] = []
    for (let i = 0; i < 20; i++) {
      store.append([eventOf(i, LARGE)], outcome => outcomes.push(outcome))
      await turns(2)
    }
    assert.ok(outcomes.length > 10)
    assert.ok(outcomes.every(outcome => outcome === 'full'))
    disk.letGo()
    await until(() => outcomes.length === 20)
    assert.equal(await append(store, [21], LARGE), 'stored')
  })
})

describe('drop-oldest', () => {
  test('gives up the oldest segment for what comes, and counts exactly', async t => {
    const { store, dropped } = openStore(t, directoryFor(t), { whenFull: 'drop-oldest', journal: SMALL })
    const outcomes = new Set(await appendEach(store, range(1, 200), { bytes: 1000 }))
    assert.deepEqual([...outcomes], ['stored'])
    const { queue_full: count = 0 } = dropped
    assert.ok(count > 100)
    assert.equal(store.pendingEvents, 200 - count)
    assert.deepEqual(numbersOf(await deliver(store, 200 - count)), range(count + 1, 200))
    assert.deepEqual(dropped, { queue_full: count })
    assert.deepEqual([store.pendingEvents, store.pendingBytes], [0, 0])
  })

  test('counts what is on disk only as it counts what is in memory', async t => {
    const options = { whenFull: 'drop-oldest', memoryMaxBytes: 20_000, journal: SMALL } as const
    const { store, dropped } = openStore(t, directoryFor(t), options)
    await appendEach(store, range(1, 200), { bytes: 1000 })
    const { queue_full: count = 0 } = dropped
    assert.equal(store.pendingEvents, 200 - count)
    assert.deepEqual(numbersOf(await deliver(store, 200 - count)), range(count + 1, 200))
    assert.deepEqual(dropped, { queue_full: count })
  })

  test('leaves alone what was taken', async t => {
    const { store, dropped } = openStore(t, directoryFor(t), { whenFull: 'drop-oldest', journal: SMALL })
    await appendEach(store, range(1, 10), { bytes: 1000 })
    const taken = await take(store, 3)
    await appendEach(store, range(11, 200), { bytes: 1000 })
    for (const event of taken) store.release(event)
    const { queue_full: count = 0 } = dropped
    assert.equal(store.pendingEvents, 200 - 3 - count)
    assert.deepEqual(numbersOf(await deliver(store, store.pendingEvents)).at(-1), 200)
    assert.deepEqual([store.pendingEvents, store.pendingBytes], [0, 0])
  })

  // Everything was dropped for an event that is larger than the journal.
  test('drops nothing for what will never fit', async t => {
    const { store, dropped } = openStore(t, directoryFor(t), { whenFull: 'drop-oldest', journal: SMALL })
    await appendEach(store, range(1, 10), { bytes: 1000 })
    assert.equal(await append(store, [11], { bytes: SMALL.maxBytes }), 'full')
    assert.deepEqual(dropped, {})
    assert.equal(store.pendingEvents, 10)
  })

  test('is refused while what earlier runs left is still read', async t => {
    const directory = directoryFor(t)
    const first = openStore(t, directory, { journal: SMALL })
    while ((await append(first.store, [1], { bytes: 1000 })) === 'stored');
    await first.store.close()
    const { store, fs: disk, dropped } = openStore(t, directory, { whenFull: 'drop-oldest', journal: SMALL })
    disk.hold('read')
    assert.equal(await append(store, [2], { bytes: 2000 }), 'full')
    disk.letGo()
    await until(() => !store.isRecovering)
    assert.equal(await append(store, [2], { bytes: 2000 }), 'stored')
    assert.ok((dropped['queue_full'] ?? 0) > 0)
  })
})

describe('a journal that fails', () => {
  for (const code of ['EACCES', 'EROFS', 'ENOSPC']) {
    test(`to open (${code}) is tried each second; what memory took is in it then`, async t => {
      t.mock.timers.enable(TIMERS)
      const directory = directoryFor(t)
      const disk = { broken: true }
      const lock = (): (() => void) => {
        if (disk.broken) throw Object.assign(new Error(code), { code })
        return () => {}
      }
      const { store, told } = openStore(t, directory, { journal: { lock } })
      assert.equal(store.journal.failing, true)
      assert.deepEqual(await appendEach(store, [1, 2, 3]), ['stored', 'stored', 'stored'])
      assert.equal(store.volatileEvents, 3)
      await seconds(t, 2)
      assert.deepEqual(
        told.filter(line => line.startsWith('failed')),
        Array(3).fill(`failed open ${code}`)
      )
      const [taken] = await take(store, 1)
      disk.broken = false
      await seconds(t)
      assert.equal(told.at(-1), 'healed 3')
      assert.deepEqual([store.journal.failing, store.volatileEvents], [false, 0])
      await append(store, [4])
      assert.ok(taken)
      store.release(taken)
      await store.close()
      assert.deepEqual(await pendingAfterwards(t, directory), [2, 3, 4])
    })
  }

  test('because its directory is below a file is tried again, and made', async t => {
    t.mock.timers.enable(TIMERS)
    const parent = directoryFor(t)
    fs.writeFileSync(join(parent, 'file'), '')
    const directory = join(parent, 'file', 'journal')
    const { store, told } = openStore(t, directory)
    assert.match(told[0] ?? '', /^failed open (ENOTDIR|EEXIST)$/)
    assert.equal(await append(store, [1]), 'stored')
    fs.rmSync(join(parent, 'file'))
    await seconds(t)
    assert.equal(store.journal.failing, false)
    await store.close()
    assert.deepEqual(await pendingAfterwards(t, directory), [1])
  })

  test('what an earlier run left is delivered once it can be opened', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const first = openStore(t, directory)
    await appendEach(first.store, [1, 2])
    await first.store.close()
    let broken = true
    const lock = (): (() => void) => {
      if (broken) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      return () => {}
    }
    const { store } = openStore(t, directory, { journal: { lock } })
    await append(store, [3])
    broken = false
    await seconds(t)
    const events = await take(store, 3)
    assert.deepEqual(numbersOf(events).sort(), [1, 2, 3])
    const bySequence = [...events].sort((a, b) => a.sequence - b.sequence)
    assert.deepEqual(numbersOf(bySequence), [1, 2, 3])
  })

  test('of another process ends the start; of a newer release is left alone', t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const unlock = lockDirectory(directory)
    assert.throws(() => openStore(t, directory, { journal: { lock: lockDirectory } }), JournalInUseError)
    unlock()
    const newer = Buffer.alloc(200)
    newer.write('ILJOURNL', 'latin1')
    newer.writeUInt16LE(2, 8)
    fs.writeFileSync(join(directory, segmentName(7)), newer)
    const { store, told } = openStore(t, directory)
    assert.deepEqual(told, ['failed open JOURNAL_VERSION'])
    assert.equal(store.journal.failing, true)
    assert.deepEqual(segmentsIn(directory), [7])
    assert.ok(fs.readFileSync(join(directory, segmentName(7))).equals(newer))
  })

  test('to write: memory takes events, up to its bound, and they are in the journal when it works again', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk, told } = openStore(t, directory, { memoryMaxBytes: 60_000 })
    await appendEach(store, [1, 2])
    disk.fail('write', 'ENOSPC')
    assert.deepEqual(await appendEach(store, [3, 4]), ['stored', 'stored'])
    assert.deepEqual([store.journal.failing, store.volatileEvents, store.pendingEvents], [true, 2, 4])
    assert.deepEqual(
      told.filter(line => line.startsWith('bypassed')),
      ['bypassed 1', 'bypassed 1']
    )
    let last = 4
    while ((await append(store, [last + 1], { bytes: 5000 })) === 'stored') last++
    assert.ok(store.pendingBytes <= 60_000 && last > 8)
    await seconds(t, 3)
    assert.equal(store.journal.failing, true)
    disk.heal()
    await seconds(t)
    assert.equal(told.at(-1), `healed ${last - 2}`)
    assert.deepEqual([store.volatileEvents, store.pendingEvents], [0, last])
    await append(store, [last + 1])
    await store.close()
    assert.deepEqual(await pendingAfterwards(t, directory), range(1, last + 1))
  })

  test('to write: with reject events are refused, and none of them arrives', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk } = openStore(t, directory, { whenJournalFails: 'reject' })
    await append(store, [1])
    disk.fail('write', 'EIO', { written: 40 })
    assert.deepEqual(await appendEach(store, [2, 3]), ['failed', 'failed'])
    assert.equal(store.pendingEvents, 1)
    disk.heal()
    await seconds(t)
    assert.equal(await append(store, [4]), 'stored')
    assert.deepEqual(numbersOf(await take(store, 2)), [1, 4])
    await store.close()
    assert.deepEqual(await pendingAfterwards(t, directory), [1, 4])
  })

  test('events that are delivered meanwhile are not written', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk } = openStore(t, directory)
    disk.fail('write', 'EIO')
    await appendEach(store, range(1, 10))
    await deliver(store, 8)
    disk.heal()
    await seconds(t)
    assert.equal(sequencesIn(directory).length, 2)
    assert.deepEqual(numbersOf(await deliver(store, 2)), [9, 10])
    assert.deepEqual([store.pendingEvents, store.pendingBytes], [0, 0])
    await seconds(t)
    assert.equal(store.journal.bytes, 0)
  })

  test('events that are delivered while they are written take no place', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk } = openStore(t, directoryFor(t), { journal: { fsync: true } })
    disk.fail('sync', 'EIO')
    await appendEach(store, range(1, 5))
    const taken = await take(store, 3)
    disk.heal()
    disk.hold('sync')
    await seconds(t)
    assert.equal(disk.waiting, 1, 'they are being written')
    for (const event of taken) store.release(event)
    disk.letGo()
    await until(() => !store.journal.failing)
    assert.deepEqual(numbersOf(await deliver(store, 2)), [4, 5])
    await seconds(t)
    assert.deepEqual([store.journal.bytes, store.pendingEvents, store.pendingBytes], [0, 0, 0])
  })

  // A later event was written to a segment of its own, or came to memory before earlier ones: it overtook them, and in a
  // segment that begins with a later one the start did not find them.
  test('events keep their order when several writes fail one after the other', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk } = openStore(t, directory, { journal: { fsync: true } })
    disk.hold('sync')
    disk.fail('sync', 'EIO', { times: 1 })
    const outcomes: Promise<AppendOutcome>[] = []
    outcomes.push(append(store, [1]))
    await turns()
    outcomes.push(append(store, [2]), append(store, [3]))
    // The next event comes in the very turn in which the first batch fails, before the second can be tried.
    store.onAccepted = events => {
      if (Number(events[0]?.event.attributes[1]?.value) === 1) queueMicrotask(() => outcomes.push(append(store, [4])))
    }
    disk.fail('open', 'EMFILE', { times: 1, path: SEGMENT })
    disk.letGo()
    await until(() => outcomes.length === 4)
    assert.deepEqual(await Promise.all(outcomes), Array(4).fill('stored'))
    disk.heal()
    await seconds(t)
    await until(() => !store.journal.failing)
    await append(store, [5])
    assert.deepEqual(numbersOf(await take(store, 5)), [1, 2, 3, 4, 5])
    await store.close()
    assert.deepEqual(await pendingAfterwards(t, directory), [1, 2, 3, 4, 5])
  })

  test('many events are put into the journal in portions, while others are delivered', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk, told } = openStore(t, directory)
    disk.fail('write', 'EIO')
    for (let i = 0; i < 1300; i += 10) await append(store, range(i + 1, i + 10))
    disk.heal()
    t.mock.timers.tick(1000)
    await turns(1)
    await deliver(store, 100)
    await until(() => !store.journal.failing)
    assert.match(told.at(-1) ?? '', /^healed 1[0-9]{3}$/)
    assert.deepEqual(numbersOf(await deliver(store, 1200)), range(101, 1300))
    await seconds(t)
    assert.deepEqual([store.journal.bytes, store.pendingEvents, store.pendingBytes], [0, 0, 0])
  })

  test('again while it is being put right is tried again, and nothing is lost', async t => {
    t.mock.timers.enable(TIMERS)
    const directory = directoryFor(t)
    const { store, fs: disk, told } = openStore(t, directory, { journal: { fsync: true } })
    disk.fail('sync', 'EIO')
    for (let i = 0; i < 1200; i += 10) await append(store, range(i + 1, i + 10))
    disk.heal()
    disk.hold('sync')
    await seconds(t)
    disk.letGo()
    disk.fail('sync', 'EIO', { times: 1 })
    while (store.journal.failing) await seconds(t)
    assert.equal(told.filter(line => line === 'failed write EIO').length, 2)
    await store.close()
    const found = await pendingAfterwards(t, directory)
    assert.deepEqual([...new Set(found)], range(1, 1200))
  })

  // It stayed failing for as long as Kafka was away: drop-oldest was not applied.
  test('and is full makes room as WHEN_FULL says', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk, dropped } = openStore(t, directoryFor(t), { whenFull: 'drop-oldest', journal: SMALL })
    let accepted = 0
    while ((dropped['queue_full'] ?? 0) === 0) await append(store, [++accepted], { bytes: 1000 })
    disk.fail('write', 'EIO')
    for (let i = 0; i < 30; i++) assert.equal(await append(store, [++accepted], { bytes: 1000 }), 'stored')
    disk.heal()
    await seconds(t)
    assert.equal(store.journal.failing, false)
    assert.equal(store.pendingEvents, accepted - (dropped['queue_full'] ?? 0))
    const left = numbersOf(await deliver(store, store.pendingEvents))
    assert.deepEqual(left, range(accepted - left.length + 1, accepted))
  })

  test('and is full goes on failing with reject, until events are delivered', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk, told } = openStore(t, directoryFor(t), { journal: SMALL })
    let accepted = 0
    while ((await append(store, [accepted + 1], { bytes: 1000 })) === 'stored') accepted++
    await deliver(store, 15)
    await append(store, [++accepted])
    disk.fail('write', 'EIO')
    for (let i = 0; i < 30; i++) await append(store, [++accepted], { bytes: 1000 })
    disk.heal()
    await seconds(t)
    assert.ok(told.includes('failed heal the journal is full'))
    assert.equal(store.journal.failing, true)
    assert.deepEqual(numbersOf(await deliver(store, 30)), range(16, 45))
    await seconds(t)
    assert.equal(store.journal.failing, false)
    assert.deepEqual(numbersOf(await deliver(store, accepted - 45)), range(46, accepted))
  })

  test('at the end: what is being written is answered, and what is not in the journal is told', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk } = openStore(t, directoryFor(t))
    disk.fail('write', 'EIO')
    await append(store, [1])
    assert.equal(store.volatileEvents, 1)
    await store.close()
    assert.equal(disk.open.size, 0)
    await seconds(t, 3)
    assert.equal(disk.open.size, 0, 'it is not opened again')
  })
})

describe('durability kafka', () => {
  const kafka = { ackTimeoutMs: 2000 }

  /** Appends an event, and notes the outcome. */
  function sent({ store }: OpenStore, number: number): { outcome: AppendOutcome | undefined } {
    const reply: { outcome: AppendOutcome | undefined } = { outcome: undefined }
    store.append([eventOf(number)], outcome => (reply.outcome = outcome))
    return reply
  }

  test('answers when all events of the request are released', async t => {
    t.mock.timers.enable(TIMERS)
    const { store, fs: disk } = openStore(t, directoryFor(t), kafka)
    let outcome: AppendOutcome | undefined
    store.append([eventOf(1), eventOf(2)], one => (outcome = one))
    const [first, second] = await take(store, 2)
    assert.ok(first && second)
    store.release(second)
    assert.equal(outcome, undefined)
    store.release(first)
    assert.equal(outcome, 'stored')
    assert.equal(disk.count('sync', SEGMENT), 0)
  })

  test('answers after the timeout, when the journal is synced; then at once, until Kafka has an event again', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), kafka)
    const { store, fs: disk, clock } = opened
    const first = sent(opened, 1)
    await turns()
    clock.ms += 1999
    t.mock.timers.tick(1999)
    assert.equal(first.outcome, undefined)
    disk.hold('sync')
    clock.ms += 1
    t.mock.timers.tick(1)
    await turns()
    assert.equal(disk.waiting, 1)
    assert.equal(first.outcome, undefined, 'not before the sync')
    disk.letGo()
    await until(() => first.outcome === 'stored')

    const second = sent(opened, 2)
    await until(() => second.outcome === 'stored', 'the reply without Kafka')
    assert.equal(disk.count('sync', SEGMENT), 2)

    await deliver(store, 1)
    const third = sent(opened, 3)
    await turns()
    assert.equal(third.outcome, undefined, 'it waits again')
    await deliver(store, 2)
    assert.equal(third.outcome, 'stored')
  })

  test('answers from memory when the journal fails, and does not wait longer for that', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), kafka)
    opened.fs.fail('write', 'EIO')
    const first = sent(opened, 1)
    await turns()
    assert.equal(first.outcome, undefined)
    opened.clock.ms += 2000
    t.mock.timers.tick(2000)
    assert.equal(first.outcome, 'stored')
  })

  test('a sync that fails answers, and is a journal that fails', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), kafka)
    const first = sent(opened, 1)
    await turns()
    opened.fs.fail('sync', 'EIO')
    opened.clock.ms += 2000
    t.mock.timers.tick(2000)
    await until(() => first.outcome === 'stored')
    assert.equal(opened.store.journal.failing, true)
    assert.ok(opened.told.includes('failed fdatasync EIO'))
  })

  test('a sync that fails is no 200 where a journal that fails is to be told: the reply waits for Kafka', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), { ...kafka, whenJournalFails: 'reject' })
    const first = sent(opened, 1)
    await turns()
    opened.fs.fail('sync', 'EIO')
    opened.clock.ms += 2000
    t.mock.timers.tick(2000)
    await until(() => opened.store.journal.failing)
    await turns()
    assert.equal(first.outcome, undefined)
    await deliver(opened.store, 1)
    assert.equal(first.outcome, 'stored')
  })

  test('a sync that fails while the journal is being put right does not have events written twice', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), { ...kafka, journal: { fsync: true } })
    const { store, fs: disk, clock } = opened
    const first = sent(opened, 1)
    await until(() => store.pendingEvents === 1)
    disk.fail('write', 'EIO')
    sent(opened, 2)
    await until(() => store.journal.failing)
    disk.heal()
    disk.hold('sync')
    await seconds(t)
    assert.equal(disk.waiting, 1, 'the second event is being written')
    clock.ms += 2000
    await seconds(t)
    assert.equal(disk.waiting, 2, 'the first reply waits no longer')
    disk.fail('sync', 'EIO', { times: 1 })
    disk.letGoFrom(1)
    await until(() => first.outcome === 'stored')
    await seconds(t, 3)
    disk.letGo()
    await until(() => store.volatileEvents === 0)
    await seconds(t, 3)
    await until(() => !store.journal.failing)
    await deliver(store, 2)
    await seconds(t)
    assert.deepEqual([store.journal.bytes, store.pendingEvents], [0, 0])
  })

  test('events that are given up are answered, and say nothing about Kafka', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), { ...kafka, whenFull: 'drop-oldest', journal: SMALL })
    const { store, clock } = opened
    const replies: ReturnType<typeof sent>[] = [sent(opened, 1)]
    await turns()
    clock.ms += 2000
    t.mock.timers.tick(2000)
    await until(() => replies[0]?.outcome === 'stored')
    while ((opened.dropped['queue_full'] ?? 0) === 0) {
      store.append([eventOf(2, { bytes: 1000 })], () => {})
      await turns(1)
    }
    const next = sent(opened, 3)
    await until(() => next.outcome === 'stored', 'the reply without Kafka')
  })

  // It was never answered: nobody looked at what began to wait after the end had begun.
  test('answers what is being written when it ends', async t => {
    t.mock.timers.enable(TIMERS)
    const opened = openStore(t, directoryFor(t), kafka)
    const waiting = sent(opened, 1)
    await turns()
    const written = sent(opened, 2)
    await opened.store.close()
    await until(() => waiting.outcome === 'stored' && written.outcome === 'stored')
  })
})
