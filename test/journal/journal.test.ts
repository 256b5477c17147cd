import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { segmentName } from '../../sidecar/journal/format.ts'
import { Journal } from '../../sidecar/journal/journal.ts'
import { decodeRecord } from '../../sidecar/journal/payload.ts'
import { eventOf } from './arbitraries.ts'
import {
  directoryFor,
  openJournal,
  optionsFor,
  recordFor,
  recovered,
  segmentsIn,
  sequencesIn,
  sequencesOf,
  turns,
  until,
  writeRecords,
  written
} from './open-journal.ts'

describe('a journal', () => {
  test('gives the directory up when it cannot be opened', t => {
    for (const call of ['readdir', 'open', 'size', 'read'] as const) {
      const directory = directoryFor(t)
      fs.writeFileSync(join(directory, segmentName(1)), Buffer.alloc(100, 1))
      let locked = 0
      const options = optionsFor(directory, { lock: () => (locked++, () => void locked--) })
      options.fs.fail(call, 'EIO')
      assert.throws(() => Journal.open(options), { code: 'EIO' })
      assert.deepEqual([locked, options.fs.open.size], [0, 0], call)
    }
  })

  test('has numbers that grow, over restarts, also where some were never used', async t => {
    const directory = directoryFor(t)
    let last = 0
    for (let start = 0; start < 4; start++) {
      const { journal } = openJournal(t, directory)
      for (let unused = 0; unused < 50_000; unused++) journal.nextSequence()
      const [record] = await writeRecords(journal, 1)
      assert.ok(record && record.sequence > last)
      last = record.sequence
      await journal.close()
    }
    const { journal } = openJournal(t, directory)
    const found = sequencesOf(await recovered(journal))
    assert.equal(found.at(-1), last)
  })

  test('has numbers beyond a gap within one segment', async t => {
    const directory = directoryFor(t)
    const first = openJournal(t, directory)
    await writeRecords(first.journal, 1)
    for (let unused = 0; unused < 50_000; unused++) first.journal.nextSequence()
    const [last] = await writeRecords(first.journal, 1)
    await first.journal.close()
    assert.equal(segmentsIn(directory).length, 1)
    assert.ok(openJournal(t, directory).journal.nextSequence() > (last?.sequence ?? Infinity))
  })

  test('puts a record that could not be written at first before younger ones', async t => {
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    const early = recordFor(journal)
    const middle = recordFor(journal)
    const [late] = await writeRecords(journal, 1)
    await written(journal, middle, early)
    assert.deepEqual(segmentsIn(directory), [1, 3])
    await journal.close()
    const found = sequencesOf(await recovered(openJournal(t, directory).journal))
    assert.deepEqual([...found].sort(), [early.sequence, middle.sequence, late?.sequence])
  })

  test('has room up to its bound, of which an event counts what it may take', async t => {
    const { journal } = openJournal(t, directoryFor(t), { maxBytes: 4096 })
    assert.equal(journal.hasRoom([eventOf(1, { bytes: 4000 })]), false)
    assert.equal(journal.canHold([eventOf(1, { bytes: 4000 })]), false)
    assert.equal(journal.hasRoom([eventOf(1, { bytes: 2000 })]), true)
    await writeRecords(journal, 1, { bytes: 1900 })
    assert.equal(journal.hasRoom([eventOf(1, { bytes: 2000 })]), false)
    assert.equal(journal.canHold([eventOf(1, { bytes: 2000 })]), true)
    assert.equal(journal.hasRoom([eventOf(1, { bytes: 900 }), eventOf(1, { bytes: 900 })]), false)
  })

  test('ends with every file written, closed and noted, and only then gives the directory up', async t => {
    const directory = directoryFor(t)
    let unlocked = false
    const { journal, fs: disk } = openJournal(t, directory, { segmentBytes: 1024, lock: () => () => (unlocked = true) })
    const records = await writeRecords(journal, 8)
    const last = recordFor(journal)
    let answered = false
    journal.append([last], () => (answered = true))
    disk.hold('unlink')
    for (const record of records) journal.release(record)
    const closed = journal.close()
    await turns()
    assert.equal(answered, true)
    assert.ok(disk.waiting > 0, 'segments are being removed')
    assert.equal(unlocked, false, 'another process would see files go')
    disk.letGo()
    await closed
    assert.deepEqual([unlocked, disk.open.size], [true, 0])
    assert.deepEqual(sequencesIn(directory).at(-1), last.sequence)
    assert.deepEqual(sequencesOf(await recovered(openJournal(t, directory).journal)), [last.sequence])
  })

  test('keeps a file open under a read, and closes it after, also at the end', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t))
    const [record] = await writeRecords(journal, 1)
    assert.ok(record?.segment)
    disk.hold('read')
    let read: Buffer | undefined
    journal.read(record.segment, record.offset, record.size, (_error, bytes) => (read = bytes))
    await journal.close()
    assert.equal(disk.open.size, 1)
    disk.letGo()
    await until(() => read !== undefined)
    assert.equal(decodeRecord(read as Buffer, 0).sequence, 1)
    assert.equal(disk.open.size, 0)
  })

  test('reads on where a read was short, and gives fewer bytes at the end only', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t))
    const [first, second] = await writeRecords(journal, 2)
    assert.ok(first?.segment && second)
    disk.shorten('read', 10)
    const { segment, offset } = first
    const bytes = await new Promise<Buffer>((resolve, reject) =>
      journal.read(segment, offset, 100_000, (error, read) => (error ? reject(error) : resolve(read)))
    )
    assert.equal(bytes.length, first.size + second.size)
    assert.equal(decodeRecord(bytes, first.size).sequence, 2)
  })

  test('a file that cannot be opened for reading is an error, and nothing stays open', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { segmentBytes: 1 })
    const [record] = await writeRecords(journal, 1)
    assert.ok(record?.segment)
    disk.fail('open', 'EMFILE')
    let code: string | undefined
    journal.read(record.segment, record.offset, record.size, error => (code = error?.code))
    assert.equal(code, 'EMFILE')
    assert.equal(disk.open.size, 0)
  })
})

describe('probing', () => {
  test('a disk that works leaves nothing behind', async t => {
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    await writeRecords(journal, 2)
    const { size } = fs.statSync(join(directory, segmentName(1)))
    journal.probe(journal.nextSequence())
    assert.equal(fs.statSync(join(directory, segmentName(1))).size, size)
    await writeRecords(journal, 1)
    assert.deepEqual(sequencesIn(directory), [1, 2, 4])
  })

  test('a disk that is full fails as often as it is tried, and files do not pile up', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory)
    await writeRecords(journal, 1)
    disk.fail('write', 'ENOSPC', { written: 4096 })
    for (let attempt = 0; attempt < 5; attempt++) {
      assert.throws(() => journal.probe(journal.nextSequence()), { code: 'ENOSPC' })
    }
    assert.deepEqual(segmentsIn(directory), [1])
    assert.deepEqual(sequencesIn(directory), [1])
    assert.equal(journal.segments, 1)
  })

  test('does not interfere with a write that is under way', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { fsync: true })
    disk.hold('sync')
    const writing = writeRecords(journal, 1)
    await turns()
    const writes = disk.count('write')
    journal.probe(0)
    assert.equal(disk.count('write'), writes)
    disk.letGo()
    await writing
  })
})

describe('syncing a segment', () => {
  const synced = (journal: Journal, segment: Parameters<Journal['sync']>[0]): Promise<string> =>
    new Promise(resolve => journal.sync(segment, error => resolve(error?.code ?? 'synced')))

  test('is done once for what was written', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { segmentBytes: 1 })
    const [record] = await writeRecords(journal, 1)
    assert.ok(record?.segment)
    assert.equal(await synced(journal, record.segment), 'synced')
    assert.equal(await synced(journal, record.segment), 'synced')
    assert.equal(disk.count('sync'), 1)
    assert.equal(disk.open.size, 0)
  })

  test('of one that is gone is done', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { segmentBytes: 1 })
    const [record] = await writeRecords(journal, 1)
    const segment = record?.segment
    assert.ok(segment)
    journal.release(record)
    assert.equal(await synced(journal, segment), 'synced')
    assert.equal(disk.count('sync'), 0)
  })

  // The second fdatasync reported success for what the kernel had dropped at the first.
  test('does not succeed after it has failed, and nothing more is written there', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory)
    const [record] = await writeRecords(journal, 1)
    assert.ok(record?.segment)
    disk.fail('sync', 'EIO', { times: 1 })
    assert.equal(await synced(journal, record.segment), 'EIO')
    assert.equal(await synced(journal, record.segment), 'EIO')
    const [next] = await writeRecords(journal, 1)
    assert.deepEqual(segmentsIn(directory), [1, 2])
    assert.ok(next?.segment)
    assert.equal(await synced(journal, next.segment), 'synced')
  })
})

describe('giving up a segment', () => {
  test('seals the one that is written to, so that it goes with its last record', async t => {
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    const records = await writeRecords(journal, 2)
    const segment = records[0]?.segment
    assert.ok(segment)
    assert.deepEqual(journal.givable, [segment])
    assert.deepEqual([...(journal.giveUp(segment) ?? [])], [segment.id])
    for (const record of records) journal.release(record)
    assert.deepEqual([journal.bytes, journal.segments], [0, 0])
    const [next] = await writeRecords(journal, 1)
    await until(() => sequencesIn(directory).length === 1)
    assert.deepEqual(sequencesIn(directory), [next?.sequence])
  })

  test('does not happen while it is written to', async t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { fsync: true })
    const [record] = await writeRecords(journal, 1)
    assert.ok(record?.segment)
    disk.hold('sync')
    const writing = writeRecords(journal, 1)
    await turns()
    assert.equal(journal.giveUp(record.segment), undefined)
    disk.letGo()
    await writing
    assert.ok(journal.giveUp(record.segment))
  })

  test('does not happen while what earlier runs left is still read', async t => {
    const directory = directoryFor(t)
    const first = openJournal(t, directory)
    await writeRecords(first.journal, 1)
    await first.journal.close()
    const { journal } = openJournal(t, directory)
    const finding = recovered(journal)
    assert.deepEqual(journal.givable, [])
    assert.equal((await finding).length, 1)
    assert.equal(journal.givable.length, 1)
  })
})
