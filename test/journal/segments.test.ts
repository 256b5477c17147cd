import assert from 'node:assert/strict'
import fs from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { JournalRecord } from '../../sidecar/journal/batch.ts'
import {
  bytesIn,
  directoryFor,
  openJournal,
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

const SMALL = { segmentBytes: 1024 }

describe('segments', () => {
  test('another is begun at the size that was asked for', async t => {
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory, SMALL)
    const records = await writeRecords(journal, 12)
    assert.ok(journal.segments > 2)
    assert.deepEqual(sequencesIn(directory), sequencesOf(records))
    const sealed = new Set(records.map(({ segment }) => segment).filter(segment => segment?.sealed))
    for (const segment of sealed) assert.ok(segment && segment.bytes >= 1024 && segment.bytes < 1024 + 300)
  })

  test('are removed when everything in them is released, in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...Array(15).keys()], { minLength: 15 }), async order => {
        const directory = fs.mkdtempSync('/tmp/inference-logger-journal-')
        const { journal } = openJournal({ after: () => {} } as never, directory, SMALL)
        try {
          const records = await writeRecords(journal, 15)
          const left = new Set(records)
          for (const i of order) {
            const record = records[i] as JournalRecord
            const { segment } = record
            journal.release(record)
            left.delete(record)
            const alive = [...left].some(other => other.segment === segment)
            assert.equal(segment?.removed, !alive && segment?.sealed === true)
          }
          await journal.close()
          assert.equal(journal.bytes, 0)
          assert.deepEqual(fs.readdirSync(directory), [])
        } finally {
          fs.rmSync(directory, { recursive: true })
        }
      }),
      { numRuns: 20 }
    )
  })

  test('the one that is written to is removed within a second of being empty', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    for (const record of await writeRecords(journal, 3)) journal.release(record)
    assert.deepEqual(segmentsIn(directory), [1])
    t.mock.timers.tick(1000)
    await until(() => fs.readdirSync(directory).length === 0)
    assert.deepEqual([journal.bytes, journal.segments], [0, 0])
    await writeRecords(journal, 1)
    assert.deepEqual(segmentsIn(directory), [4])
  })

  test('none is closed or removed under a write that is under way', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory, { fsync: true })
    const [first] = await writeRecords(journal, 1)
    assert.ok(first)
    disk.hold('sync')
    const second = writeRecords(journal, 1)
    await turns()
    journal.release(first)
    t.mock.timers.tick(1000)
    disk.letGo()
    await second
    assert.deepEqual(sequencesIn(directory), [1, 2])
  })

  test('one whose file cannot be removed is left, and that is told', async t => {
    const directory = directoryFor(t)
    const { journal, fs: disk, told } = openJournal(t, directory, SMALL)
    const records = await writeRecords(journal, 6)
    disk.fail('unlink', 'EIO')
    for (const record of records) journal.release(record)
    await until(() => told.includes('failed unlink EIO'))
    assert.ok(segmentsIn(directory).includes(1))
  })

  for (const call of ['open', 'write', 'sync', 'syncDirectory'] as const) {
    test(`where none can be made (${call}), nothing is left of it`, async t => {
      const directory = directoryFor(t)
      const { journal, fs: disk } = openJournal(t, directory, { syncNames: true })
      disk.fail(call, 'ENOSPC', { written: 10, times: 1 })
      await assert.rejects(writeRecords(journal, 1), { code: 'ENOSPC' })
      assert.deepEqual(fs.readdirSync(directory), [])
      assert.deepEqual([disk.open.size, journal.bytes, journal.segments], [0, 0, 0])
      await writeRecords(journal, 1)
      assert.deepEqual(sequencesIn(directory), [2])
    })
  }

  // EEXIST from then on: the journal never worked again.
  for (const when of ['its header', 'its first record'] as const) {
    test(`a file that could not even be removed after ${when} failed does not keep its name from the next`, async t => {
      const directory = directoryFor(t)
      const { journal, fs: disk } = openJournal(t, directory)
      const record = recordFor(journal)
      disk.before = call => {
        if (call !== 'write' || disk.count('write') !== (when === 'its header' ? 1 : 2)) return
        disk.fail('write', 'EIO')
        disk.fail('unlink', 'EROFS')
        disk.fail('close', 'EIO')
      }
      await assert.rejects(written(journal, record), { code: 'EIO' })
      assert.deepEqual(segmentsIn(directory), [1])
      disk.heal()
      disk.before = () => {}
      await written(journal, record)
      assert.deepEqual(sequencesIn(directory), [1])
      assert.equal(journal.bytes, bytesIn(directory))
    })
  }

  test('the size that counts is that of the files, whatever happens', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const operation = fc.oneof(
      { arbitrary: fc.record({ write: fc.integer({ min: 1, max: 4 }) }), weight: 3 },
      { arbitrary: fc.record({ release: fc.nat() }), weight: 4 },
      fc.constant({ second: true }),
      fc.constant({ reopen: true }),
      fc.record({ fail: fc.constantFrom('write', 'truncate', 'open', 'unlink' as const), written: fc.nat(300) })
    )
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async operations => {
        const directory = fs.mkdtempSync('/tmp/inference-logger-journal-')
        const open = (): ReturnType<typeof openJournal> =>
          openJournal({ after: () => {} } as never, directory, { ...SMALL, maxBytes: 8 * 1024 })
        let { journal, fs: disk } = open()
        let exact = true
        let pending: { sequence: number; release: () => void }[] = []
        try {
          for (const one of operations) {
            if ('write' in one) {
              const records = Array.from({ length: one.write }, () => recordFor(journal))
              const error = await written(journal, ...records).catch((failed: unknown) => failed)
              const writer = journal
              if (error === undefined) {
                for (const record of records) {
                  pending.push({ sequence: record.sequence, release: () => writer.release(record) })
                }
              }
            } else if ('release' in one) {
              const [released] = pending.splice(one.release % Math.max(1, pending.length), 1)
              released?.release()
            } else if ('second' in one) t.mock.timers.tick(1000)
            else if ('fail' in one) {
              // A file that cannot be removed is not counted: told, and out of reach.
              if (one.fail === 'unlink') continue
              disk.fail(one.fail, 'EIO', { times: 1, written: one.written, path: /journal$/ })
              if (one.fail === 'truncate') exact = false
            } else {
              disk.heal()
              await journal.close()
              ;({ journal, fs: disk } = open())
              const found = await recovered(journal)
              const foundSequences = new Set(sequencesOf(found))
              for (const { sequence } of pending) assert.ok(foundSequences.has(sequence), `${sequence} is there`)
              // A write that failed, and could not be taken back, may show.
              if (exact) assert.equal(found.length, pending.length)
              exact = true
              pending = found.map(({ segment, offset, size, sequence }) => ({
                sequence,
                release: () => journal.releaseAt({ segment, offset }, size)
              }))
            }
            await turns(4)
            if (exact) await until(() => journal.bytes === bytesIn(directory), `${journal.bytes} bytes`)
            assert.ok(journal.bytes >= 0)
          }
          disk.heal()
          for (const { release } of pending) release()
          await journal.close()
          assert.equal(journal.bytes, 0)
          assert.equal(disk.open.size, 0)
        } finally {
          fs.rmSync(directory, { recursive: true })
        }
      }),
      { numRuns: 60 }
    )
  })
})
