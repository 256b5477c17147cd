import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { JournalRecord } from '../../sidecar/journal/batch.ts'
import { segmentsToCompact } from '../../sidecar/journal/compaction.ts'
import { segmentName } from '../../sidecar/journal/format.ts'
import type { Journal, JournalOptions } from '../../sidecar/journal/journal.ts'
import { decodeRecord } from '../../sidecar/journal/payload.ts'
import { Segment } from '../../sidecar/journal/segment.ts'
import type { FaultyFileSystem } from './faulty-file-system.ts'
import {
  bytesIn,
  directoryFor,
  openJournal,
  recovered,
  segmentsIn,
  sequencesOf,
  turns,
  until,
  writeRecords
} from './open-journal.ts'

const SEGMENT_BYTES = 16 * 1024

function segmentWith(bytes: number, liveBytes: number, sealed = true): Segment {
  const segment = new Segment({ id: 1, firstSequence: 1, run: '', path: '', releasedPath: '', bytes, sealed })
  if (liveBytes > 0) segment.add(liveBytes)
  return segment
}

/** Which of the segments, given by size and living bytes in KiB, are compacted; segments are of 16 KiB. */
function chosen(...segments: [bytes: number, live: number, sealed?: boolean][]): number[] {
  const all = segments.map(([bytes, live, sealed]) => segmentWith(bytes * 1024, live * 1024, sealed))
  return (segmentsToCompact(all, SEGMENT_BYTES) ?? []).map(segment => all.indexOf(segment))
}

describe('segments to compact', () => {
  test('are neighbours that are half dead or small, as far as they fit into one', () => {
    assert.deepEqual(chosen([16, 8], [16, 8]), [0, 1])
    assert.deepEqual(chosen([16, 1], [16, 2], [16, 1]), [0, 1, 2])
    assert.deepEqual(chosen([16, 1], [16, 12], [16, 2], [16, 2]), [2, 3])
    assert.deepEqual(chosen([16, 8], [16, 8], [16, 7], [16, 1]), [2, 3])
    assert.deepEqual(chosen([16, 4]), [0])
  })

  test('are none, where that would gain less than half a segment', () => {
    assert.deepEqual(chosen(), [])
    assert.deepEqual(chosen([16, 9], [16, 16]), [])
    assert.deepEqual(chosen([2, 2], [3, 3], [1, 1]), [])
    assert.deepEqual(chosen([16, 12], [16, 12], [16, 12]), [])
  })

  test('are none that are written to', () => {
    assert.deepEqual(chosen([16, 1, false]), [])
  })

  // It was chosen each time, could not be read or did not fit what was known of it, and no other had a turn.
  test('are none that the start could not read', () => {
    assert.deepEqual(chosen([16, 0], [16, 2], [16, 1]), [1, 2])
    assert.deepEqual(chosen([16, 0]), [])
  })
})

interface Stuck {
  directory: string
  journal: Journal
  fs: FaultyFileSystem
  clock: { ms: number }
  told: string[]
  /** Records that cannot be delivered: one in each segment. */
  stuck: JournalRecord[]
}

const MAX_BYTES = 8 * SEGMENT_BYTES

/** Fills a segment, and releases all of its records but the first ones, which it returns. */
async function fillSegment(journal: Journal, kept: number): Promise<JournalRecord[]> {
  const records: JournalRecord[] = []
  while (records.at(-1)?.segment?.sealed !== true) records.push(...(await writeRecords(journal, 1, { bytes: 1000 })))
  for (const record of records.slice(kept)) journal.release(record)
  return records.slice(0, kept)
}

/** A journal of some segments, in each of which one record is alive. */
async function stuckJournal(t: TestContext, segments = 6, options: Partial<JournalOptions> = {}): Promise<Stuck> {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const directory = directoryFor(t)
  const {
    journal,
    fs: disk,
    clock,
    told
  } = openJournal(t, directory, {
    maxBytes: MAX_BYTES,
    segmentBytes: SEGMENT_BYTES,
    ...options
  })
  const stuck: JournalRecord[] = []
  while (stuck.length < segments) stuck.push(...(await fillSegment(journal, 1)))
  return { directory, journal, fs: disk, clock, told, stuck }
}

/** A second goes by, and what it sets off is done. */
async function second(t: TestContext, isDone: () => boolean): Promise<void> {
  t.mock.timers.tick(1000)
  await until(isDone, 'the end of the compaction')
}

/** Reads records back from where the journal says that they are. */
async function readBack(journal: Journal, records: readonly JournalRecord[]): Promise<number[]> {
  const sequences: number[] = []
  for (const { segment, offset, size } of records) {
    assert.ok(segment)
    const place = journal.locate(segment.id, offset)
    assert.ok(place, 'the record has a place')
    const bytes = await new Promise<Buffer>((resolve, reject) =>
      journal.read(place.segment, place.offset, size, (error, read) => (error ? reject(error) : resolve(read)))
    )
    sequences.push(decodeRecord(bytes, 0).sequence)
  }
  return sequences
}

describe('compaction', () => {
  test('a record that is stuck in each segment does not fill the journal, and none is lost', async t => {
    const { journal, directory, stuck } = await stuckJournal(t)
    assert.equal(journal.segments, 6)
    await second(t, () => journal.segments === 1)
    assert.ok(journal.bytes < SEGMENT_BYTES)
    await until(() => journal.bytes === bytesIn(directory), 'the size of its files')
    assert.deepEqual(await readBack(journal, stuck), sequencesOf(stuck))
    const again = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(again.journal)), sequencesOf(stuck))
  })

  test('goes on as long as records come, again and again', async t => {
    const { journal, directory, stuck } = await stuckJournal(t)
    await second(t, () => journal.segments === 1)
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 4; i++) stuck.push(...(await fillSegment(journal, 1)))
      const before = journal.segments
      await second(t, () => journal.segments < before)
      assert.ok(journal.bytes < MAX_BYTES / 2)
    }
    assert.deepEqual(await readBack(journal, stuck), sequencesOf(stuck))
    for (const record of stuck) journal.release(record)
    await journal.close()
    assert.deepEqual(fs.readdirSync(directory), [])
    assert.equal(journal.bytes, 0)
  })

  // One segment that was delivered meanwhile ended it, for half a minute: the journal filled up.
  test('segments of which everything is released while they are read are left out', async t => {
    const { journal, fs: disk, directory, stuck } = await stuckJournal(t)
    disk.hold('read')
    t.mock.timers.tick(1000)
    await until(() => disk.waiting === 1)
    const [first, , third] = stuck
    assert.ok(first && third)
    journal.release(third)
    journal.release(first)
    disk.letGo()
    await until(() => journal.segments === 1)
    const left = stuck.filter(record => record !== first && record !== third)
    assert.deepEqual(await readBack(journal, left), sequencesOf(left))
    await journal.close()
    const again = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(again.journal)), sequencesOf(left))
  })

  test('one of two records of a segment that is released while it is read does not come back', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const { journal, fs: disk } = openJournal(t, directory, { maxBytes: MAX_BYTES, segmentBytes: SEGMENT_BYTES })
    const kept: JournalRecord[] = []
    for (let i = 0; i < 5; i++) kept.push(...(await fillSegment(journal, 2)))
    disk.hold('read')
    t.mock.timers.tick(1000)
    await until(() => disk.waiting === 1)
    disk.letGo()
    disk.hold('read')
    await until(() => disk.waiting === 1, 'the reading of the second segment')
    const gone = [...kept.splice(2, 1), ...kept.splice(0, 1)]
    for (const record of gone) journal.release(record)
    disk.letGo()
    await until(() => journal.segments === 1)
    assert.deepEqual(await readBack(journal, kept), sequencesOf(kept))
    assert.equal(journal.locate(1, 0), undefined)
    const again = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(again.journal)), sequencesOf(kept))
  })

  test('releases of moved records are noted beside their new segment', async t => {
    const { journal, directory, stuck } = await stuckJournal(t)
    await second(t, () => journal.segments === 1)
    await turns()
    journal.release(stuck[1] as JournalRecord)
    t.mock.timers.tick(1000)
    stuck.splice(1, 1)
    const again = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(again.journal)), sequencesOf(stuck))
  })

  test('a crash before the old segments are gone delivers some records twice, and loses none', async t => {
    const { journal, fs: disk, directory, stuck } = await stuckJournal(t)
    disk.hold('unlink')
    await second(t, () => journal.segments === 1)
    assert.equal(segmentsIn(directory).length, 6)
    const found = sequencesOf(await recovered(openJournal(t, directory).journal))
    assert.deepEqual([...new Set(found)], sequencesOf(stuck))
  })

  test('a crash while the new file is written leaves everything as it was', async t => {
    const { directory, fs: disk, stuck } = await stuckJournal(t)
    disk.hold('read')
    t.mock.timers.tick(1000)
    fs.writeFileSync(join(directory, `${segmentName(1)}.tmp`), 'half of it')
    const found = sequencesOf(await recovered(openJournal(t, directory).journal))
    assert.deepEqual(found, sequencesOf(stuck))
    assert.ok(!fs.existsSync(join(directory, `${segmentName(1)}.tmp`)))
  })

  for (const [call, path] of [
    ['open', /tmp$/],
    ['write', /tmp$/],
    ['sync', /tmp$/],
    ['rename', /tmp$/],
    ['read', /journal$/]
  ] as const) {
    // A temporary file that was left kept all further attempts from making theirs.
    test(`where it fails (${call}), nothing changes, and it is tried again half a minute later`, async t => {
      const { journal, fs: disk, clock, directory, stuck, told } = await stuckJournal(t, 6, { syncNames: true })
      disk.fail(call, 'EIO', { path })
      disk.before = () => {
        if (/^(write|sync|rename) .*tmp$/.test(disk.log.at(-1) ?? '')) disk.fail('unlink', 'EIO', { path: /tmp$/ })
      }
      t.mock.timers.tick(1000)
      await until(() => told.includes('failed compaction EIO'))
      assert.equal(journal.segments, 6)
      const copy = directoryFor(t)
      fs.cpSync(directory, copy, { recursive: true })
      assert.deepEqual(sequencesOf(await recovered(openJournal(t, copy).journal)), sequencesOf(stuck))
      disk.before = () => {}
      disk.heal()
      const reads = disk.count('read')
      t.mock.timers.tick(1000)
      await turns()
      assert.equal(disk.count('read'), reads, 'not at once')
      clock.ms += 30_001
      await second(t, () => journal.segments === 1)
      assert.deepEqual(await readBack(journal, stuck), sequencesOf(stuck))
    })
  }

  // The file had changed already, and the old places were read in the new file: all its records were lost.
  test('a new file whose name may not survive the machine is used, and what it replaces stays', async t => {
    const { journal, fs: disk, directory, stuck, told } = await stuckJournal(t, 6, { syncNames: true })
    disk.fail('syncDirectory', 'EIO', { times: 1 })
    await second(t, () => journal.segments === 1)
    await turns()
    assert.ok(told.includes('failed compaction EIO'))
    assert.deepEqual(await readBack(journal, stuck), sequencesOf(stuck))
    assert.equal(segmentsIn(directory).length, 6, 'the machine may bring the first one back, which lacks their records')
  })

  test('the companion file of the old segment may stay', async t => {
    const { journal, fs: disk, directory, stuck } = await stuckJournal(t)
    disk.fail('unlink', 'EIO', { path: /00000000000000000001.released$/ })
    await second(t, () => journal.segments === 1)
    await turns()
    journal.release(stuck[0] as JournalRecord)
    t.mock.timers.tick(1000)
    stuck.shift()
    assert.deepEqual(sequencesOf(await recovered(openJournal(t, directory).journal)), sequencesOf(stuck))
  })

  // Its file was longer than what was known of it, so that compaction came to nothing each time.
  test('what a failed write left behind the records of a segment is left out', async t => {
    const { journal, fs: disk, stuck } = await stuckJournal(t, 5)
    const [record] = await writeRecords(journal, 1, { bytes: 500 })
    assert.ok(record)
    disk.fail('truncate', 'EIO', { times: 1 })
    disk.fail('write', 'EIO', { times: 1, written: 2000 })
    await assert.rejects(writeRecords(journal, 1, { bytes: 500 }), { code: 'EIO' })
    await second(t, () => journal.segments < 3)
    assert.deepEqual(await readBack(journal, [...stuck, record]), sequencesOf([...stuck, record]))
  })

  test('a journal that ends meanwhile is not changed any more', async t => {
    const { journal, fs: disk, directory } = await stuckJournal(t)
    disk.hold('read')
    t.mock.timers.tick(1000)
    await until(() => disk.waiting === 1)
    const names = fs.readdirSync(directory)
    const closed = journal.close()
    await turns()
    disk.letGo()
    await closed
    await turns()
    assert.deepEqual(fs.readdirSync(directory), names)
    assert.deepEqual([...disk.open.values()], [])
  })

  test('sequences go on beyond those of a compacted journal', async t => {
    const { journal, directory } = await stuckJournal(t)
    for (let unused = 0; unused < 100_000; unused++) journal.nextSequence()
    const [kept] = await fillSegment(journal, 1)
    assert.ok(kept)
    await second(t, () => journal.segments === 1)
    await journal.close()
    // Small enough that its size says nothing.
    assert.ok(openJournal(t, directory).journal.nextSequence() > kept.sequence)
  })
})
