import type * as FsExt from 'fs-ext'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { nodeFileSystem } from './file-system.ts'
import {
  decodeReleases,
  decodeSegmentHeader,
  RELEASED_SUFFIX,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  sequenceOfName
} from './format.ts'
import { readWhole } from './read-whole.ts'
import { ReleasedRanges, scanSegment, type CorruptRegion } from './scan.ts'
import { releaseSalt } from './segment.ts'

/** Events that wait for delivery. */
export interface PendingReport {
  events: number
  /** Of their records. */
  bytes: number
  /** `receivedAt` of the oldest: ms since 1970. undefined: there is none. */
  oldestReceivedAt: number | undefined
}

/**
 * What is known of a segment as a whole.
 * - `sound`, `corrupt`: it was searched, and no, or some, region of it is damaged
 * - `empty`: not even its header was written whole
 * - `corrupt-header`: a start moves the file to quarantine
 * - `newer`: of a later format version, and not looked into
 * - `unreadable`: the system does not give it
 */
export type SegmentState = 'sound' | 'corrupt' | 'empty' | 'corrupt-header' | 'newer' | 'unreadable'

/** What a segment holds. */
export interface SegmentReport {
  readonly name: string
  readonly state: SegmentState
  /** The system's words for `unreadable`. */
  readonly error: string | undefined
  readonly bytes: number
  readonly version: number | undefined
  /** ms since 1970. */
  readonly createdAt: number | undefined
  readonly records: number
  readonly released: number
  readonly pending: PendingReport
  readonly corrupt: readonly CorruptRegion[]
  /** A record of which only the start is there: a crash cut it off, or a process writes it just now. */
  readonly torn: { readonly offset: number; readonly length: number } | undefined
}

/** Files of a folder, and their size together. */
export interface FolderReport {
  readonly files: number
  readonly bytes: number
}

/**
 * Whether a process owns the directory; `process` is what it wrote about itself.
 * - `unknown`: the file system has no locks, or fs-ext was not built
 */
export type OwnerReport =
  | { readonly state: 'free' | 'unknown'; readonly process: undefined }
  | { readonly state: 'owned'; readonly process: string }

/** What a journal's directory holds. */
export interface JournalReport {
  readonly directory: string
  readonly owner: OwnerReport
  /** In the order of their names, which is that of their events. */
  readonly segments: readonly SegmentReport[]
  /** What is pending, by topic: the most first. */
  readonly topics: readonly (PendingReport & { readonly topic: string })[]
  readonly pending: PendingReport
  readonly quarantine: FolderReport
  readonly deadLetters: FolderReport
}

/**
 * Looks at a journal and touches nothing: files are opened for reading only, none is made, and no lock is kept. A process
 * may write to it meanwhile: then what is shown was true of each file at a moment of its own.
 * @throws {NodeJS.ErrnoException} when the directory cannot be read
 */
export async function inspectJournal(directory: string): Promise<JournalReport> {
  const names = fs.readdirSync(directory).sort()
  const owner = ownerOf(directory)
  const segments: SegmentReport[] = []
  const topics = new Map<string, PendingReport>()
  for (const name of names) {
    if (sequenceOfName(name) === undefined) continue
    const report = await inspectSegment(directory, name, topics)
    if (report !== undefined) segments.push(report)
  }
  const pending = nothingPending()
  for (const segment of segments) add(pending, segment.pending)
  return {
    directory,
    owner,
    segments,
    topics: [...topics].map(([topic, of]) => ({ topic, ...of })).sort((a, b) => b.events - a.events),
    pending,
    quarantine: inspectFolder(join(directory, 'quarantine')),
    deadLetters: inspectFolder(join(directory, 'dead-letters'))
  }
}

/** @returns undefined when it is gone: its owner had delivered all of it */
async function inspectSegment(
  directory: string,
  name: string,
  topics: Map<string, PendingReport>
): Promise<SegmentReport | undefined> {
  const path = join(directory, name)
  const nothing = {
    name,
    error: undefined,
    bytes: 0,
    version: undefined,
    createdAt: undefined,
    records: 0,
    released: 0,
    pending: nothingPending(),
    corrupt: [],
    torn: undefined
  }
  let bytes: Buffer
  try {
    bytes = await readWhole(nodeFileSystem, path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : { ...nothing, state: 'unreadable', error: message }
  }
  const header = decodeSegmentHeader(bytes)
  if ('problem' in header) {
    const { problem, version } = header
    const of = { ...nothing, bytes: bytes.length, version }
    if (problem === 'newer') return { ...of, state: 'newer' }
    if (problem === 'torn' && bytes.length <= SEGMENT_HEADER_BYTES) return { ...of, state: 'empty' }
    return { ...of, state: 'corrupt-header', records: scanSegment(bytes, () => {}).records }
  }
  const { version, createdAt, run, firstSequence } = header
  const releases = readIfThere(path.slice(0, -SEGMENT_SUFFIX.length) + RELEASED_SUFFIX)
  const ranges = new ReleasedRanges(decodeReleases(releaseSalt(run, firstSequence), releases))
  const pending = nothingPending()
  const { records, corrupt, torn } = scanSegment(bytes, ({ offset, size, topic, receivedAt }) => {
    if (ranges.has(offset)) return
    const one = { events: 1, bytes: size, oldestReceivedAt: receivedAt }
    let ofTopic = topics.get(topic)
    if (ofTopic === undefined) topics.set(topic, (ofTopic = nothingPending()))
    add(ofTopic, one)
    add(pending, one)
  })
  const released = records - pending.events
  const state = corrupt.length > 0 ? 'corrupt' : 'sound'
  return { ...nothing, state, bytes: bytes.length, version, createdAt, records, released, pending, corrupt, torn }
}

function nothingPending(): PendingReport {
  return { events: 0, bytes: 0, oldestReceivedAt: undefined }
}

function add(sum: PendingReport, { events, bytes, oldestReceivedAt = Infinity }: PendingReport): void {
  sum.events += events
  sum.bytes += bytes
  if (oldestReceivedAt < (sum.oldestReceivedAt ?? Infinity)) sum.oldestReceivedAt = oldestReceivedAt
}

function readIfThere(path: string): Buffer {
  try {
    return fs.readFileSync(path)
  } catch {
    // Without it everything is pending, to a start as well.
    return Buffer.alloc(0)
  }
}

function inspectFolder(path: string): FolderReport {
  let files = 0
  let bytes = 0
  for (const name of namesIn(path)) {
    const stats = fs.statSync(join(path, name), { throwIfNoEntry: false })
    if (stats?.isFile() !== true) continue
    files++
    bytes += stats.size
  }
  return { files, bytes }
}

function namesIn(path: string): string[] {
  try {
    return fs.readdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const TAKEN: ReadonlySet<string> = new Set(['EAGAIN', 'EWOULDBLOCK'])

function ownerOf(directory: string): OwnerReport {
  let fd: number
  try {
    fd = fs.openSync(join(directory, 'lock'), 'r')
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return { state: isMissing ? 'free' : 'unknown', process: undefined }
  }
  try {
    const { flockSync } = createRequire(import.meta.url)('fs-ext') as typeof FsExt
    // Shared, and given back at once: a process that starts at this very moment should not find it taken.
    flockSync(fd, 'shnb')
    return { state: 'free', process: undefined }
  } catch (error) {
    if (!TAKEN.has((error as NodeJS.ErrnoException).code ?? '')) return { state: 'unknown', process: undefined }
    return { state: 'owned', process: fs.readFileSync(fd, 'utf8').trim() }
  } finally {
    fs.closeSync(fd)
  }
}
