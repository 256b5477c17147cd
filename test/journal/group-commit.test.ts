import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { segmentName } from '../../sidecar/journal/format.ts'
import {
  bytesIn,
  directoryFor,
  openJournal,
  recordFor,
  segmentsIn,
  sequencesIn,
  turns,
  until,
  writeRecords,
  written
} from './open-journal.ts'

const SEGMENT = /\.journal$/

describe('group commit', () => {
  test('all events of a turn of the event loop are one write, and are answered in their order', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk, told } = openJournal(t, directory)
    await writeRecords(journal, 1)
    const before = disk.count('write')
    const answered: number[] = []
    for (let i = 0; i < 5; i++) {
      const record = recordFor(journal)
      journal.append([record], () => answered.push(record.sequence))
    }
    assert.equal(disk.count('write'), before, 'nothing is written within the turn')
    await turns(2)
    assert.equal(disk.count('write'), before + 1)
    assert.deepEqual(answered, [2, 3, 4, 5, 6])
    assert.equal(told.at(-1), 'committed 5')
    assert.deepEqual(sequencesIn(directory), [1, 2, 3, 4, 5, 6])
  })

  test('a slow write makes the next ones asynchronous for ten seconds', async t => {
    const { journal, fs: disk, clock } = openJournal(t, directoryFor(t))
    await writeRecords(journal, 1)
    disk.before = call => {
      if (call === 'write') clock.ms += 6
    }
    await writeRecords(journal, 1)
    disk.before = () => {}
    clock.ms += 9_900
    disk.hold('write')
    const asynchronous = writeRecords(journal, 1)
    await turns()
    assert.equal(disk.waiting, 1, 'it went to the thread pool')
    disk.letGo()
    await asynchronous
    clock.ms += 10_001
    disk.hold('write')
    await writeRecords(journal, 1)
    assert.equal(disk.waiting, 0)
  })

  test('what comes during an asynchronous write is written together after it', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk, clock, told } = openJournal(t, directory)
    disk.before = call => {
      if (call === 'write') clock.ms += 10
    }
    await writeRecords(journal, 1)
    disk.hold('write')
    const all = [written(journal, recordFor(journal))]
    await turns()
    for (let i = 0; i < 3; i++) {
      all.push(written(journal, recordFor(journal)))
      await turns(3)
    }
    assert.equal(disk.waiting, 1)
    disk.letGo()
    await Promise.all(all)
    assert.deepEqual(told, ['committed 1', 'committed 1', 'committed 3'])
    assert.deepEqual(sequencesIn(directory), [1, 2, 3, 4, 5])
  })

  for (const mode of ['synchronous', 'asynchronous']) {
    test(`a short write is continued (${mode})`, async t => {
      const directory = directoryFor(t)
      const { journal, fs: disk, clock } = openJournal(t, directory)
      if (mode === 'asynchronous') {
        disk.before = call => {
          if (call === 'write') clock.ms += 10
        }
      }
      await writeRecords(journal, 1)
      disk.shorten('write', 7)
      await writeRecords(journal, 3)
      assert.deepEqual(sequencesIn(directory), [1, 2, 3, 4])
    })

    test(`a failed write leaves no part of a record, and nothing is added to its segment (${mode})`, async t => {
      const directory = directoryFor(t)
      const { journal, fs: disk, clock } = openJournal(t, directory)
      if (mode === 'asynchronous') {
        disk.before = call => {
          if (call === 'write') clock.ms += 10
        }
      }
      const [first] = await writeRecords(journal, 1)
      const size = fs.statSync(join(directory, segmentName(1))).size
      disk.fail('write', 'ENOSPC', { times: 1, written: 30 })
      const record = recordFor(journal)
      await assert.rejects(written(journal, record), { code: 'ENOSPC' })
      assert.equal(record.segment, undefined)
      assert.equal(fs.statSync(join(directory, segmentName(1))).size, size)
      await writeRecords(journal, 1)
      assert.deepEqual(segmentsIn(directory), [1, 3])
      assert.deepEqual(sequencesIn(directory), [1, 3])
      assert.equal(first?.segment?.live, 1)
      assert.equal(journal.bytes, bytesIn(directory))
    })
  }

  test('all records of a request are written, or none', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory)
    disk.fail('write', 'ENOSPC', { path: SEGMENT, times: 1, written: 64 })
    const records = [recordFor(journal), recordFor(journal), recordFor(journal)]
    await assert.rejects(written(journal, ...records), { code: 'ENOSPC' })
    assert.deepEqual(sequencesIn(directory), [])
    await written(journal, ...records)
    assert.deepEqual(sequencesIn(directory), [1, 2, 3])
  })

  test('durability fsync answers after fdatasync, and not before', async t => {
    const { journal, fs: disk, told } = openJournal(t, directoryFor(t), { fsync: true })
    disk.hold('sync')
    let answered = false
    const all = written(journal, recordFor(journal)).then(() => (answered = true))
    await turns()
    assert.equal(disk.waiting, 1)
    assert.equal(answered, false)
    disk.letGo()
    await all
    assert.deepEqual(told, ['synced', 'committed 1'])
  })

  test('what fdatasync failed for is taken back, and does not count on a second one', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory, { fsync: true })
    await writeRecords(journal, 1)
    disk.fail('sync', 'EIO', { times: 1 })
    await assert.rejects(written(journal, recordFor(journal)), { code: 'EIO' })
    assert.deepEqual(sequencesIn(directory), [1])
    await writeRecords(journal, 1)
    assert.deepEqual(segmentsIn(directory), [1, 3])
  })

  // It was written to another segment, and overtook what had failed: events out of order, and out of their segment.
  test('what waits behind a batch that fails, fails with it', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory, { fsync: true })
    disk.hold('sync')
    disk.fail('sync', 'EIO', { times: 1 })
    const outcomes: string[] = []
    const append = (): void => {
      journal.append([recordFor(journal)], error => outcomes.push(error?.code ?? 'written'))
    }
    append()
    await turns()
    append()
    append()
    disk.letGo()
    await until(() => outcomes.length === 3)
    assert.deepEqual(outcomes, ['EIO', 'EIO', 'EIO'])
    assert.deepEqual(sequencesIn(directory), [])
  })

  // The records were written, and their callbacks called, between those of the batch before.
  test('records that a callback adds are answered after all others of its batch', async t => {
    const { journal } = openJournal(t, directoryFor(t), { maxBytes: 1e8, segmentBytes: 1e7 })
    const answered: string[] = []
    const large = recordFor(journal, { bytes: 1024 * 1024 })
    journal.append([recordFor(journal)], () => {
      answered.push('first')
      journal.append([large], () => answered.push('added'))
    })
    journal.append([recordFor(journal)], () => answered.push('second'))
    await until(() => answered.length === 3)
    assert.deepEqual(answered, ['first', 'second', 'added'])
  })

  test('a mebibyte is written without waiting for the end of the turn', t => {
    const { journal, fs: disk } = openJournal(t, directoryFor(t), { maxBytes: 1e8, segmentBytes: 1e7 })
    let answered = false
    journal.append([recordFor(journal, { bytes: 1024 * 1024 })], () => (answered = true))
    assert.equal(answered, true)
    assert.equal(disk.count('write'), 2, 'header and record')
  })

  test('what is on its way counts as the journal’s, once', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory, { fsync: true })
    await writeRecords(journal, 1)
    const [before, size] = [journal.bytes, journal.bytes - 64]
    disk.hold('sync')
    const first = writeRecords(journal, 1)
    await turns()
    const second = writeRecords(journal, 1)
    await turns()
    assert.equal(journal.bytes, before + 2 * size)
    assert.equal(journal.waitingBytes, 2 * size)
    disk.letGo()
    await Promise.all([first, second])
    assert.equal(journal.bytes, before + 2 * size)
    assert.equal(journal.waitingBytes, 0)
    assert.equal(journal.bytes, bytesIn(directory))
  })

  test('the longest write is remembered', async t => {
    const { journal, fs: disk, clock } = openJournal(t, directoryFor(t))
    disk.before = call => {
      if (call === 'write') clock.ms += 75
    }
    await writeRecords(journal, 2)
    disk.before = () => {}
    await writeRecords(journal, 1)
    // The header of the segment is written by the same commit.
    assert.equal(journal.longestCommitSeconds, 0.15)
  })
})
