import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { flockSync } from 'fs-ext'
import { jsonOf, textOf } from '../../cli/journal/report.ts'
import { encodeReleases, SEGMENT_HEADER_BYTES, segmentName } from '../../sidecar/journal/format.ts'
import { inspectJournal, type SegmentReport } from '../../sidecar/journal/inspect.ts'
import { lockDirectory } from '../../sidecar/journal/lock.ts'
import { releaseSalt } from '../../sidecar/journal/segment.ts'
import { CliProcess } from '../cli/cli-process.ts'
import { eventOf, recordOf, segmentOf } from './arbitraries.ts'

const NOW = Date.parse('2026-11-22T11:00:00Z')
/** Run of what {@link segmentOf} makes. */
const RUN = '0123456789abcdef'

function folderOf(t: TestContext, files: Readonly<Record<string, Buffer | string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'inference-logger-inspect-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

/** A segment of events, received a second after each other from 10:00 on. */
function segmentFrom(first: number, count: number, topic = 'a-topic'): Buffer {
  return segmentOf(
    Array.from({ length: count }, (_, i) => ({ sequence: first + i, accepted: eventAt(first + i, topic) })),
    first
  )
}

const eventAt = (number: number, topic = 'a-topic'): ReturnType<typeof eventOf> =>
  eventOf(number, { topic, receivedAt: Date.parse('2026-11-22T10:00:00.250Z') + number * 1000 })

const RECORD = recordOf(1, eventAt(1)).length

const releasesOf = (first: number, ...ranges: [number, number][]): Buffer =>
  encodeReleases(releaseSalt(RUN, first), ranges)

/** Two sound segments, of whose ten events the first three and the last are released; a folder of each kind. */
function soundJournal(t: TestContext): string {
  return folderOf(t, {
    [segmentName(1)]: segmentFrom(1, 6),
    '00000000000000000001.released': releasesOf(1, [SEGMENT_HEADER_BYTES, 3 * RECORD]),
    [segmentName(7)]: segmentFrom(7, 4, 'b-topic'),
    '00000000000000000007.released': releasesOf(7, [SEGMENT_HEADER_BYTES + 3 * RECORD, RECORD]),
    'quarantine/00000000000000000001.journal.64.corrupt': 'x'.repeat(100),
    'dead-letters/20261122T100000.000Z-000000.jsonl': 'x'.repeat(2000),
    'dead-letters/20261122T110000.000Z-000000.jsonl': 'x'.repeat(48)
  })
}

function damaged(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ 1
  return copy
}

async function onlySegment(t: TestContext, bytes: Buffer): Promise<SegmentReport> {
  const { segments } = await inspectJournal(folderOf(t, { [segmentName(1)]: bytes }))
  const [segment, ...others] = segments
  assert.ok(segment)
  assert.deepEqual(others, [])
  return segment
}

describe('what is in a journal', () => {
  test('is counted by segment and by topic: records, released, pending, the oldest', async t => {
    const { segments, topics, pending, owner, quarantine, deadLetters } = await inspectJournal(soundJournal(t))
    const at = (second: number): number => Date.parse('2026-11-22T10:00:00.250Z') + second * 1000
    assert.deepEqual(
      segments.map(({ name, state, version, createdAt, bytes, records, released, pending: of }) => [
        ...[name, state, version, createdAt, bytes],
        ...[records, released, of.events, of.bytes, of.oldestReceivedAt]
      ]),
      [
        [segmentName(1), 'sound', 1, 1_795_343_759_389, 64 + 6 * RECORD, 6, 3, 3, 3 * RECORD, at(4)],
        [segmentName(7), 'sound', 1, 1_795_343_759_389, segmentFrom(7, 4).length, 4, 1, 3, 3 * RECORD, at(7)]
      ]
    )
    assert.deepEqual(
      topics.map(({ topic, events, oldestReceivedAt }) => [topic, events, oldestReceivedAt]),
      [
        ['a-topic', 3, at(4)],
        ['b-topic', 3, at(7)]
      ]
    )
    assert.deepEqual(pending, { events: 6, bytes: 6 * RECORD, oldestReceivedAt: at(4) })
    assert.deepEqual(owner, { state: 'free', process: undefined })
    assert.deepEqual(
      [quarantine, deadLetters],
      [
        { files: 1, bytes: 100 },
        { files: 2, bytes: 2048 }
      ]
    )
  })

  test('has the topic with the most pending events first, and none that has none', async t => {
    const folder = folderOf(t, {
      [segmentName(1)]: segmentFrom(1, 2, 'released'),
      '00000000000000000001.released': releasesOf(1, [64, 10_000]),
      [segmentName(3)]: segmentFrom(3, 1, 'few'),
      [segmentName(4)]: segmentFrom(4, 3, 'many'),
      [segmentName(7)]: segmentFrom(7, 1, 'few')
    })
    const { topics } = await inspectJournal(folder)
    assert.deepEqual(
      topics.map(({ topic, events }) => [topic, events]),
      [
        ['many', 3],
        ['few', 2]
      ]
    )
  })

  test('is pending where the companion file is another segment’s', async t => {
    const folder = folderOf(t, {
      [segmentName(1)]: segmentFrom(1, 2),
      '00000000000000000001.released': releasesOf(2, [64, 10_000])
    })
    assert.equal((await inspectJournal(folder)).pending.events, 2)
  })

  test('is nothing in an empty directory, and other files are none of its business', async t => {
    for (const files of [{}, { 'README.journal': 'x', '1.journal': 'x', 'x.released': 'x' }]) {
      const { segments, topics, pending } = await inspectJournal(folderOf(t, files))
      assert.deepEqual([segments, topics, pending], [[], [], { events: 0, bytes: 0, oldestReceivedAt: undefined }])
    }
  })

  test('does not count folders among what was set aside, and says when it cannot look there', async t => {
    const folder = soundJournal(t)
    mkdirSync(join(folder, 'quarantine/by-hand'))
    assert.deepEqual((await inspectJournal(folder)).quarantine, { files: 1, bytes: 100 })
    await assert.rejects(inspectJournal(folderOf(t, { quarantine: 'a file' })), { code: 'ENOTDIR' })
  })

  test('may go while it is looked at', async t => {
    const folder = folderOf(t, { [segmentName(2)]: segmentFrom(2, 1) })
    symlinkSync(join(folder, 'gone'), join(folder, segmentName(1)))
    const { segments } = await inspectJournal(folder)
    assert.deepEqual(
      segments.map(({ name }) => name),
      [segmentName(2)]
    )
  })

  test('is read without changing anything, not even by making a file', async t => {
    const folder = soundJournal(t)
    const everything = (): unknown[] =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .sort()
        .map(name => {
          const { ino, size, mtimeMs, ctimeMs } = statSync(join(folder, name))
          return [name, ino, size, mtimeMs, ctimeMs]
        })
    const before = everything()
    await inspectJournal(folder)
    assert.deepEqual(everything(), before)
  })
})

describe('the owner of a journal', () => {
  test('is named while it has the lock, which it keeps, and is nobody after', async t => {
    const folder = soundJournal(t)
    const unlock = lockDirectory(folder)
    for (let i = 0; i < 2; i++) {
      const { owner } = await inspectJournal(folder)
      assert.equal(owner.state, 'owned')
      assert.match(owner.process ?? '', new RegExp(`^pid ${process.pid} on `))
    }
    assert.throws(() => lockDirectory(folder), /belongs to another process/)
    unlock()
    assert.equal((await inspectJournal(folder)).owner.state, 'free')
    lockDirectory(folder)()
  })

  test('is nobody who only looks at it, too', async t => {
    const folder = folderOf(t, { lock: '' })
    const fd = openSync(join(folder, 'lock'), 'r')
    flockSync(fd, 'shnb')
    assert.equal((await inspectJournal(folder)).owner.state, 'free')
    closeSync(fd)
  })

  test('may be writing: the start of its next record is not called damage', async t => {
    const folder = folderOf(t, { [segmentName(1)]: segmentFrom(1, 1) })
    const unlock = lockDirectory(folder)
    t.after(unlock)
    appendFileSync(join(folder, segmentName(1)), recordOf(2, eventAt(2)).subarray(0, 30))
    const report = await inspectJournal(folder)
    assert.deepEqual(report.segments[0]?.torn, { offset: 64 + RECORD, length: 30 })
    assert.equal(report.segments[0].state, 'sound')
    const text = textOf(report, NOW)
    assert.match(text, /: in use by pid \d+ on \S+ since \S+; what follows changes\n/)
    assert.match(text, /journal ends with 30 bytes of an incomplete record: being written, or left by a crash\n/)
  })
})

describe('what is wrong with a segment', () => {
  const whole = segmentFrom(1, 3)

  test('a damaged record: where, how long, and how many were lost', async t => {
    const { state, records, pending, corrupt } = await onlySegment(t, damaged(whole, 64 + RECORD + 20))
    assert.deepEqual([state, records, pending.events], ['corrupt', 2, 2])
    assert.deepEqual(corrupt, [{ offset: 64 + RECORD, length: RECORD, records: 1 }])
  })

  test('an incomplete record at its end is what a crash leaves, and no damage', async t => {
    const { state, records, torn } = await onlySegment(t, whole.subarray(0, -1))
    assert.deepEqual([state, records, torn], ['sound', 2, { offset: 64 + 2 * RECORD, length: RECORD - 1 }])
  })

  test('a newer format version: it is not read', async t => {
    const newer = Buffer.from(whole)
    newer.writeUInt16LE(7, 8)
    const { state, version, records, corrupt } = await onlySegment(t, newer)
    assert.deepEqual([state, version, records, corrupt], ['newer', 7, 0, []])
  })

  test('a damaged header: how many records are behind it', async t => {
    const { state, records, pending } = await onlySegment(t, damaged(whole, 40))
    assert.deepEqual([state, records, pending.events], ['corrupt-header', 3, 0])
    const zeroed = Buffer.from(whole)
    zeroed.fill(0, 0, 64)
    assert.equal((await onlySegment(t, zeroed)).state, 'corrupt-header')
  })

  test('no whole header: nothing was ever in it', async t => {
    for (const length of [0, 63]) assert.equal((await onlySegment(t, whole.subarray(0, length))).state, 'empty')
    assert.equal((await onlySegment(t, Buffer.alloc(64))).state, 'empty')
  })

  test('the system does not give it', async t => {
    const folder = folderOf(t)
    mkdirSync(join(folder, segmentName(1)))
    const { segments } = await inspectJournal(folder)
    assert.equal(segments[0]?.state, 'unreadable')
    assert.match(segments[0].error ?? '', /EISDIR/)
  })
})

describe('the report', () => {
  test('is tables that fit into 120 columns', async t => {
    const folder = soundJournal(t)
    writeFileSync(join(folder, segmentName(20)), damaged(segmentFrom(20, 3), 64 + RECORD + 20))
    writeFileSync(join(folder, segmentName(30)), segmentFrom(30, 3).subarray(0, -5))
    const newer = segmentFrom(40, 1)
    newer.writeUInt16LE(2, 8)
    writeFileSync(join(folder, segmentName(40)), newer)
    writeFileSync(join(folder, segmentName(50)), damaged(segmentFrom(50, 2), 1))
    writeFileSync(join(folder, segmentName(60)), '')
    const text = textOf({ ...(await inspectJournal(folder)), directory: '/var/lib/inference-logger' }, NOW)
    assert.equal(
      text,
      `/var/lib/inference-logger: not in use

SEGMENT                       V  CREATED               SIZE  RECORDS  RELEASED  PENDING  OLDEST PENDING            AGE
00000000000000000001.journal  1  2026-11-22T10:35Z  1.3 KiB        6         3        3  2026-11-22T10:00:04Z  59m 55s
00000000000000000007.journal  1  2026-11-22T10:35Z    933 B        4         1        3  2026-11-22T10:00:07Z  59m 52s
00000000000000000020.journal  1  2026-11-22T10:35Z    718 B        2         0        2  2026-11-22T10:00:20Z  59m 39s
00000000000000000030.journal  1  2026-11-22T10:35Z    713 B        2         0        2  2026-11-22T10:00:30Z  59m 29s
00000000000000000040.journal  2  -                    282 B        0         0        0  -                           -
00000000000000000050.journal  -  -                    500 B        2         0        0  -                           -
00000000000000000060.journal  -  -                      0 B        0         0        0  -                           -

7 segments, 4.4 KiB, 16 records: 4 released, 10 pending (2.1 KiB)
the oldest pending event was received at 2026-11-22T10:00:04Z, 59m 55s ago

00000000000000000020.journal damaged: 218 bytes at 282, at least 1 record lost
00000000000000000030.journal ends with 213 bytes of an incomplete record: left by a crash; a start cuts it off
00000000000000000040.journal has format version 2, of a newer release: not read; run that release
00000000000000000050.journal has a damaged header, and 2 records: a start moves it to quarantine
00000000000000000060.journal has no header yet: its process ended, or it was made just now

PENDING     SIZE  OLDEST PENDING            AGE  TOPIC
      7  1.5 KiB  2026-11-22T10:00:04Z  59m 55s  a-topic
      3    651 B  2026-11-22T10:00:07Z  59m 52s  b-topic

quarantine: 1 file, 100 B
dead letters: 2 files, 2.0 KiB
`
    )
  })

  test('never is wider, however long it has been waiting and however much', async t => {
    const report = await inspectJournal(soundJournal(t))
    const [segment] = report.segments
    assert.ok(segment)
    const pending = { events: 1_234_567, bytes: 1, oldestReceivedAt: Date.parse('2025-11-22T10:00:00Z') }
    const huge = { ...segment, bytes: 1023 * 1024, records: 1_234_567, released: 1_234_567, pending }
    const lines = textOf({ ...report, directory: '/d', segments: [huge], pending }, NOW).split('\n')
    assert.deepEqual(
      lines.filter(line => line.length > 120),
      []
    )
    assert.match(lines.join('\n'), / 365d 1h\n/)
  })

  test('takes any time for one, and any topic', async t => {
    const odd = [NaN, Infinity, 1e300, -1, NOW + 5000].map((receivedAt, i) => ({
      sequence: i + 1,
      accepted: eventOf(i + 1, { receivedAt, topic: `\u001b[31m${i}` })
    }))
    for (const one of odd) {
      const report = await inspectJournal(folderOf(t, { [segmentName(1)]: segmentOf([one], 1) }))
      const text = textOf(report, NOW)
      assert.doesNotMatch(text, /Invalid|NaN|Infinity|-\d+s/)
      assert.ok(!text.includes('\u001b'))
      assert.doesNotThrow(() => JSON.stringify(jsonOf(report, NOW)))
    }
  })

  test('is one object for scripts', async t => {
    const oldest = (events: number, bytes: number, second: number): object => ({
      events,
      bytes,
      oldestReceivedTime: `2026-11-22T10:00:${String(second).padStart(2, '0')}.250Z`,
      oldestAgeSeconds: 3600 - second - 0.25
    })
    const folder = soundJournal(t)
    writeFileSync(join(folder, segmentName(20)), damaged(segmentFrom(20, 3), 64 + RECORD + 20))
    const { segments, ...rest } = JSON.parse(JSON.stringify(jsonOf(await inspectJournal(folder), NOW))) as {
      segments: object[]
    }
    assert.deepEqual(rest, {
      directory: folder,
      owner: { state: 'free' },
      sound: false,
      totals: {
        segments: 3,
        bytes: 3017,
        records: 12,
        released: 4,
        pending: oldest(8, 1738, 4),
        corruptRegions: 1,
        lostRecords: 1
      },
      topics: [
        { topic: 'a-topic', ...oldest(5, 1087, 4) },
        { topic: 'b-topic', ...oldest(3, 651, 7) }
      ],
      quarantine: { files: 1, bytes: 100 },
      deadLetters: { files: 2, bytes: 2048 }
    })
    assert.deepEqual(segments[2], {
      name: segmentName(20),
      state: 'corrupt',
      error: null,
      bytes: 718,
      version: 1,
      createdTime: '2026-11-22T10:35:59.389Z',
      records: 2,
      released: 0,
      pending: oldest(2, 436, 20),
      corrupt: [{ offset: 282, length: 218, records: 1 }],
      torn: null
    })
  })
})

describe('inference-logger journal inspect', { concurrency: 2 }, () => {
  const run = (t: TestContext, folder: string, ...options: string[]) =>
    CliProcess.run(t, ['journal', 'inspect', folder, ...options])

  test('exits with 0 and shows a journal that is sound, also one with a torn end', async t => {
    const folder = soundJournal(t)
    writeFileSync(join(folder, segmentName(20)), segmentFrom(20, 1).subarray(0, -1))
    const { code, stdout, stderr } = await run(t, folder)
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^SEGMENT [^]*\n3 segments, .*: 4 released, 6 pending /m)
    const json = await run(t, folder, '--json')
    assert.equal(json.code, 0)
    assert.deepEqual((JSON.parse(json.stdout) as { sound: boolean }).sound, true)
  })

  test('exits with 1 when something is damaged', async t => {
    for (const offset of [1, 64 + 20]) {
      const folder = folderOf(t, { [segmentName(1)]: damaged(segmentFrom(1, 2), offset) })
      assert.equal((await run(t, folder)).code, 1)
      assert.equal((await run(t, folder, '--json')).code, 1)
    }
  })

  test('exits with 0 over a newer version, which it names', async t => {
    const newer = segmentFrom(1, 1)
    newer.writeUInt16LE(2, 8)
    const { code, stdout } = await run(t, folderOf(t, { [segmentName(1)]: newer }))
    assert.equal(code, 0)
    assert.match(stdout, /journal has format version 2, of a newer release: not read/)
  })

  test('exits with 2 where there is nothing to read', async t => {
    const folder = folderOf(t, { file: '' })
    for (const path of [join(folder, 'missing'), join(folder, 'file')]) {
      const { code, stdout, stderr } = await run(t, path)
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, /^inference-logger: \S+ cannot be read: (?:ENOENT|ENOTDIR)[^\n]*\n$/)
    }
    mkdirSync(join(folder, segmentName(1)))
    assert.equal((await run(t, folder)).code, 2, 'a segment that cannot be read')
    assert.equal((await CliProcess.run(t, ['journal', 'inspect'])).code, 2, 'no directory')
  })

  test('needs no add-on: neither node-rdkafka nor fs-ext', t => {
    const folder = folderOf(t, { 'package.json': '{"name":"inference-logger","version":"1.2.3","type":"module"}' })
    const built = join(import.meta.dirname, '../..')
    for (const part of ['cli', 'sidecar']) cpSync(join(built, part), join(folder, 'dist', part), { recursive: true })
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(resolve('node_modules/commander'), join(folder, 'node_modules/commander'))
    const journal = soundJournal(t)
    writeFileSync(join(journal, 'lock'), 'pid 1')
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(folder, 'dist/cli/main.js'), 'journal', 'inspect', journal],
      { encoding: 'utf8', timeout: 20_000 }
    )
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /: no telling whether a process uses it\n[^]*\n2 segments, /)
    assert.equal(readFileSync(join(journal, 'lock'), 'utf8'), 'pid 1')
  })
})
