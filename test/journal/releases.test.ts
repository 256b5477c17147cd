import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { RELEASE_ENTRY_BYTES, segmentName } from '../../sidecar/journal/format.ts'
import type { Journal } from '../../sidecar/journal/journal.ts'
import { bytesIn, directoryFor, openJournal, recovered, segmentsIn, sequencesOf, writeRecords } from './open-journal.ts'
import type { JournalRecord } from '../../sidecar/journal/batch.ts'

const COMPANION = '00000000000000000001.released'

/** What a process that starts now finds; the one before has ended without a word. */
async function pendingAfterCrash(t: TestContext, directory: string): Promise<number[]> {
  return sequencesOf(await recovered(openJournal(t, directory).journal))
}

function release(journal: Journal, records: readonly JournalRecord[], ...sequences: number[]): void {
  for (const record of records) if (sequences.includes(record.sequence)) journal.release(record)
}

describe('released records', () => {
  test('are noted once a second, so that a crash repeats what was released since', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    const records = await writeRecords(journal, 6)
    release(journal, records, 2, 1, 4)
    t.mock.timers.tick(1000)
    release(journal, records, 5)
    assert.deepEqual(await pendingAfterCrash(t, directory), [3, 5, 6])
    t.mock.timers.tick(1000)
    assert.deepEqual(await pendingAfterCrash(t, directory), [3, 6])
  })

  test('are noted once', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const { journal, fs: disk } = openJournal(t, directoryFor(t))
    const records = await writeRecords(journal, 4)
    release(journal, records, 1)
    t.mock.timers.tick(1000)
    const calls = disk.count('write')
    t.mock.timers.tick(5000)
    assert.equal(disk.count('open', /released/), 2, 'tried, made')
    assert.equal(disk.count('write'), calls)
  })

  test('are noted at the end', async t => {
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    const records = await writeRecords(journal, 3)
    release(journal, records, 1, 3)
    await journal.close()
    assert.deepEqual(await pendingAfterCrash(t, directory), [2])
  })

  test('of an earlier run are added to what it had noted', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const first = openJournal(t, directory)
    release(first.journal, await writeRecords(first.journal, 4), 1)
    await first.journal.close()
    const second = openJournal(t, directory)
    const found = await recovered(second.journal)
    for (const { segment, offset, size, sequence } of found) {
      if (sequence === 3) second.journal.releaseAt({ segment, offset }, size)
    }
    t.mock.timers.tick(1000)
    assert.equal(fs.statSync(join(directory, COMPANION)).size, 2 * RELEASE_ENTRY_BYTES)
    assert.deepEqual(await pendingAfterCrash(t, directory), [2, 4])
  })

  test('of another segment that had the same name are not applied', async t => {
    const [old, directory] = [directoryFor(t), directoryFor(t)]
    const first = openJournal(t, old)
    release(first.journal, await writeRecords(first.journal, 3), 1, 2)
    await first.journal.close()
    const second = openJournal(t, directory)
    await writeRecords(second.journal, 3)
    await second.journal.close()
    fs.copyFileSync(join(old, COMPANION), join(directory, COMPANION))
    assert.deepEqual(await pendingAfterCrash(t, directory), [1, 2, 3])
  })

  // The file was there without an entry that counts, and none was ever added.
  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['torn', Buffer.alloc(5, 1)],
    ['of zeros', Buffer.alloc(2 * RELEASE_ENTRY_BYTES)]
  ] as const) {
    test(`are noted in a file that a crash left ${what}`, async t => {
      t.mock.timers.enable({ apis: ['setInterval'] })
      const directory = directoryFor(t)
      const first = openJournal(t, directory)
      await writeRecords(first.journal, 3)
      await first.journal.close()
      fs.writeFileSync(join(directory, COMPANION), bytes)
      const { journal } = openJournal(t, directory)
      const [one] = await recovered(journal)
      assert.ok(one)
      journal.releaseAt({ segment: one.segment, offset: one.offset }, one.size)
      t.mock.timers.tick(1000)
      assert.deepEqual(await pendingAfterCrash(t, directory), [2, 3])
    })
  }

  // What a full disk had not taken was never noted again.
  for (const call of ['open', 'write'] as const) {
    test(`are noted later, when the disk did not take it (${call})`, async t => {
      t.mock.timers.enable({ apis: ['setInterval'] })
      const directory = directoryFor(t)
      const { journal, fs: disk } = openJournal(t, directory)
      const records = await writeRecords(journal, 4)
      release(journal, records, 1)
      disk.fail(call, 'ENOSPC', { path: /released$/, written: 5 })
      t.mock.timers.tick(1000)
      release(journal, records, 3)
      t.mock.timers.tick(1000)
      disk.heal()
      t.mock.timers.tick(1000)
      assert.deepEqual(await pendingAfterCrash(t, directory), [2, 4])
      assert.equal(journal.bytes, bytesIn(directory))
    })
  }

  test('go with their segment, also where they could not be written', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory)
    const records = await writeRecords(journal, 2)
    release(journal, records, 1)
    disk.fail('write', 'ENOSPC', { path: /released$/, written: 1 })
    t.mock.timers.tick(1000)
    assert.deepEqual(segmentsIn(directory, '.released'), [1])
    release(journal, records, 2)
    await journal.close()
    assert.deepEqual(fs.readdirSync(directory), [])
  })

  test('are noted whole, where a write is short', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory)
    const records = await writeRecords(journal, 6)
    release(journal, records, 1, 3, 5)
    disk.shorten('write', 3)
    t.mock.timers.tick(1000)
    assert.deepEqual(await pendingAfterCrash(t, directory), [2, 4, 6])
  })

  test('go with their segment', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal } = openJournal(t, directory)
    const records = await writeRecords(journal, 3)
    release(journal, records, 1)
    t.mock.timers.tick(1000)
    assert.deepEqual(segmentsIn(directory, '.released'), [1])
    release(journal, records, 2, 3)
    await journal.close()
    assert.deepEqual(fs.readdirSync(directory), [])
    assert.ok(!fs.existsSync(join(directory, segmentName(1))))
  })
})
