import { basename } from 'node:path'
import type { JournalDirectory } from './directory.ts'
import type { FileSystem } from './file-system.ts'
import type { JournalObserver } from './observer.ts'
import { readWhole } from './read-whole.ts'
import { loadReleases } from './releases.ts'
import { scanSegment } from './scan.ts'
import type { Segment } from './segment.ts'

/** A record of an earlier run that was not released. */
export interface RecoveredRecord {
  readonly segment: Segment
  readonly offset: number
  readonly size: number
  readonly sequence: number
  readonly topic: string
  readonly receivedAt: number
}

/** What reading the old segments needs. */
export interface RecoveryOptions {
  readonly fs: FileSystem
  readonly observer: JournalObserver
  readonly directory: JournalDirectory
  /** In order. */
  readonly segments: readonly Segment[]
  readonly now: () => number
  /** Whether there is no use in going on. */
  readonly stopped: () => boolean
  readonly onRecord: (record: RecoveredRecord) => void
  /** The segment's records are known, and its sizes. */
  readonly onRead: (segment: Segment) => void
}

/** Attempts to read a segment before it is called unreadable, and the wait between them, ms. */
const ATTEMPTS = 3
const ATTEMPT_MS = 500

/**
 * Finds what is pending in the segments of earlier runs. Nothing that is still needed is changed before it was delivered,
 * so a crash at any moment leaves the same work to the next start.
 */
export async function recoverSegments(options: RecoveryOptions): Promise<void> {
  const { observer, segments, now } = options
  const start = now()
  let events = 0
  // One for all: what the garbage collector is told of too late would be the whole journal.
  let kept = Buffer.alloc(0)
  const bufferOf = (bytes: number): Buffer => {
    if (bytes > kept.length) kept = Buffer.allocUnsafeSlow(bytes)
    return kept.subarray(0, bytes)
  }
  for (const segment of segments) {
    if (options.stopped()) return
    const bytes = await readPatiently(options, segment, bufferOf)
    if (options.stopped()) return
    if (bytes === undefined) continue
    events += recoverSegment(options, segment, bytes)
    options.onRead(segment)
  }
  if (segments.length > 0) observer.recovered({ segments: segments.length, events, seconds: (now() - start) / 1000 })
}

/** @returns how many records are pending */
function recoverSegment(options: RecoveryOptions, segment: Segment, bytes: Buffer): number {
  const { fs, observer, directory, onRecord } = options
  const name = basename(segment.path)
  const released = loadReleases(fs, segment)
  const found: RecoveredRecord[] = []
  const { corrupt, torn } = scanSegment(bytes, ({ offset, size, sequence, topic, receivedAt }) => {
    if (!released.has(offset)) found.push({ segment, offset, size, sequence, topic, receivedAt })
  })
  for (const { offset, length, records } of corrupt) {
    const file = directory.quarantineBytes(name, offset, bytes.subarray(offset, offset + length))
    observer.quarantined('record', { segment: name, offset, records, file })
  }
  if (torn !== undefined) cut(fs, segment, torn.offset)
  // Counted before anybody can take one.
  if (found.length > 0) observer.replayed(found.length)
  for (const record of found) {
    segment.add(record.size)
    onRecord(record)
  }
  return found.length
}

/** A write that a crash cut off was never acknowledged. It may also stay: every scan judges it the same. */
function cut(fs: FileSystem, segment: Segment, length: number): void {
  try {
    const fd = fs.openSync(segment.path, 'r+')
    try {
      fs.ftruncateSync(fd, length)
      segment.bytes = length
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    // A read-only disk, say.
  }
}

/** @returns undefined when the disk does not give it; it stays where it is, and the next start tries again */
async function readPatiently(
  options: RecoveryOptions,
  segment: Segment,
  bufferOf: (bytes: number) => Buffer
): Promise<Buffer | undefined> {
  const { fs, observer } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await readWhole(fs, segment.path, bufferOf)
    } catch (error) {
      observer.failed(error as NodeJS.ErrnoException, 'read')
      if (attempt === ATTEMPTS || options.stopped()) {
        observer.quarantined('segment', { segment: basename(segment.path), file: segment.path })
        return undefined
      }
      await new Promise(resolve => setTimeout(resolve, ATTEMPT_MS))
    }
  }
}
