import type {
  FolderReport,
  JournalReport,
  OwnerReport,
  PendingReport,
  SegmentReport
} from '../../sidecar/journal/inspect.ts'
import { formatBytes } from '../tail/units.ts'
import { visible } from '../tail/visible.ts'

/** A journal for a person: tables of at most 120 columns, but for long names of topics. */
export function textOf(report: JournalReport, now: number): string {
  const { directory, owner, segments, topics, quarantine, deadLetters } = report
  const blocks = [
    `${directory}: ${ownerText(owner)}\n`,
    segments.length === 0 ? 'no segments\n' : segmentTable(segments, now),
    segments.length === 0 ? '' : totals(report, now),
    segments.map(segment => notes(segment, owner)).join(''),
    topics.length === 0 ? '' : topicTable(topics, now),
    folderText('quarantine', quarantine) + folderText('dead letters', deadLetters)
  ]
  return blocks.filter(block => block !== '').join('\n')
}

/** The same for scripts: times as in ISO 8601, ages in seconds. */
export function jsonOf(report: JournalReport, now: number): object {
  const { directory, owner, segments, topics, pending, quarantine, deadLetters } = report
  const corrupt = segments.filter(({ state }) => state === 'corrupt' || state === 'corrupt-header')
  return {
    directory,
    owner,
    sound: corrupt.length === 0,
    totals: {
      segments: segments.length,
      bytes: sum(segments, ({ bytes }) => bytes),
      records: sum(segments, ({ records }) => records),
      released: sum(segments, ({ released }) => released),
      pending: pendingJson(pending, now),
      corruptRegions: sum(segments, segment => segment.corrupt.length),
      lostRecords: sum(segments, lostIn)
    },
    topics: topics.map(({ topic, ...of }) => ({ topic, ...pendingJson(of, now) })),
    segments: segments.map(({ createdAt, pending: of, torn, error, version, ...rest }) => ({
      ...rest,
      error: error ?? null,
      version: version ?? null,
      createdTime: time(createdAt),
      pending: pendingJson(of, now),
      torn: torn ?? null
    })),
    quarantine,
    deadLetters
  }
}

function pendingJson({ events, bytes, oldestReceivedAt }: PendingReport, now: number): object {
  const oldest = time(oldestReceivedAt)
  return {
    events,
    bytes,
    oldestReceivedTime: oldest,
    oldestAgeSeconds: oldest === null || oldestReceivedAt === undefined ? null : (now - oldestReceivedAt) / 1000
  }
}

function ownerText(owner: OwnerReport): string {
  if (owner.state === 'owned') return `in use by ${visible(owner.process) || 'a process'}; what follows changes`
  return owner.state === 'free' ? 'not in use' : 'no telling whether a process uses it'
}

function segmentTable(segments: readonly SegmentReport[], now: number): string {
  const head = ['SEGMENT', 'V', 'CREATED', 'SIZE', 'RECORDS', 'RELEASED', 'PENDING', 'OLDEST PENDING', 'AGE']
  const rows = segments.map(({ name, version, createdAt, bytes, records, released, pending }) => [
    name,
    version === undefined ? '-' : String(version),
    // Seconds would make the table wider than 120 columns.
    (time(createdAt) ?? '-').replace(/:\d\d\.\d+Z$/, 'Z'),
    formatBytes(bytes),
    String(records),
    String(released),
    String(pending.events),
    ...oldestAndAge(pending, now)
  ])
  return table(head, rows, [1, 3, 4, 5, 6, 8])
}

function topicTable(topics: JournalReport['topics'], now: number): string {
  const rows = topics.map(({ topic, ...pending }) => [
    String(pending.events),
    formatBytes(pending.bytes),
    ...oldestAndAge(pending, now),
    visible(topic)
  ])
  return table(['PENDING', 'SIZE', 'OLDEST PENDING', 'AGE', 'TOPIC'], rows, [0, 1, 3])
}

function oldestAndAge({ oldestReceivedAt }: PendingReport, now: number): [string, string] {
  const oldest = time(oldestReceivedAt)
  if (oldest === null || oldestReceivedAt === undefined) return ['-', '-']
  return [oldest.replace(/\.\d+Z$/, 'Z'), age(now - oldestReceivedAt)]
}

function totals({ segments, pending }: JournalReport, now: number): string {
  const records = sum(segments, segment => segment.records)
  const released = sum(segments, segment => segment.released)
  const size = formatBytes(sum(segments, segment => segment.bytes))
  const [oldest, since] = oldestAndAge(pending, now)
  const waiting = pending.events === 0 ? '0 pending' : `${pending.events} pending (${formatBytes(pending.bytes)})`
  return (
    `${plural(segments.length, 'segment')}, ${size}, ${plural(records, 'record')}: ${released} released, ${waiting}` +
    `${oldest === '-' ? '' : `\nthe oldest pending event was received at ${oldest}, ${since} ago`}\n`
  )
}

/** What is odd about a segment, a line each. */
function notes(segment: SegmentReport, owner: OwnerReport): string {
  const { name, state, error, version, records, corrupt, torn } = segment
  const lines: string[] = []
  if (state === 'newer')
    lines.push(`has format version ${version ?? '?'}, of a newer release: not read; run that release`)
  if (state === 'unreadable') lines.push(`cannot be read: ${error ?? ''}`)
  if (state === 'empty') lines.push('has no header yet: its process ended, or it was made just now')
  if (state === 'corrupt-header') {
    lines.push(`has a damaged header, and ${plural(records, 'record')}: a start moves it to quarantine`)
  }
  for (const region of corrupt) {
    const { offset, length } = region
    lines.push(`damaged: ${plural(length, 'byte')} at ${offset}, at least ${plural(region.records, 'record')} lost`)
  }
  if (torn !== undefined) {
    const why = owner.state === 'owned' ? 'being written, or left by a crash' : 'left by a crash; a start cuts it off'
    lines.push(`ends with ${plural(torn.length, 'byte')} of an incomplete record: ${why}`)
  }
  return lines.map(line => `${name} ${line}\n`).join('')
}

function folderText(what: string, { files, bytes }: FolderReport): string {
  return `${what}: ${files === 0 ? 'none' : `${plural(files, 'file')}, ${formatBytes(bytes)}`}\n`
}

function lostIn({ corrupt }: SegmentReport): number {
  return sum(corrupt, ({ records }) => records)
}

function sum<T>(of: readonly T[], number: (one: T) => number): number {
  return of.reduce((total, one) => total + number(one), 0)
}

/** @param numeric columns that are aligned to the right */
function table(head: readonly string[], rows: readonly (readonly string[])[], numeric: readonly number[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  return lines
    .map(line => {
      const cells = line.map((cell, column) => {
        const width = widths[column] ?? 0
        return numeric.includes(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}

/** A time in ISO 8601; null where there is none, or none that a Date can hold. */
function time(ms: number | undefined): string | null {
  const date = new Date(ms ?? NaN)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

/** A length of time in its two largest units: `3d 4h`, `5m 12s`. Of a time to come: `0s`. */
function age(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's']
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
