import { randomBytes } from 'node:crypto'
import { TEMPORARY_SUFFIX } from './directory.ts'
import type { FileSystem } from './file-system.ts'
import { encodeSegmentHeader } from './format.ts'
import { readWhole } from './read-whole.ts'
import { scanSegment } from './scan.ts'
import { Segment } from './segment.ts'

/** A segment below this part of the usual size is worth joining with its neighbours. */
const SMALL = 1 / 4
/** A segment of which less than this part is live is worth rewriting. */
const SPARSE = 1 / 2

/**
 * Picks neighbouring segments whose live records fit into one, where that frees most.
 * @param segments in order
 * @returns undefined when there is little to gain
 */
export function segmentsToCompact(segments: readonly Segment[], segmentBytes: number): Segment[] | undefined {
  let best: Segment[] = []
  let run: Segment[] = []
  for (const segment of segments) {
    const candidate =
      segment.sealed && (segment.liveBytes <= segment.bytes * SPARSE || segment.bytes <= segmentBytes * SMALL)
    if (!candidate || sum(run, live) + segment.liveBytes > segmentBytes) run = []
    if (candidate) run = [...run, segment]
    if (gain(run) > gain(best)) best = run
  }
  return gain(best) >= segmentBytes * SPARSE ? best : undefined
}

function gain(run: readonly Segment[]): number {
  return sum(run, segment => segment.bytes - segment.liveBytes)
}

function live(segment: Segment): number {
  return segment.liveBytes
}

function sum(run: readonly Segment[], of: (segment: Segment) => number): number {
  return run.reduce((total, segment) => total + of(segment), 0)
}

/** What compacting needs. */
export interface CompactionOptions {
  readonly fs: FileSystem
  /** The new file has to be on the device before the old ones go. */
  readonly sync: boolean
  readonly directory: string
  /** Sealed, neighbouring, in order. */
  readonly run: readonly Segment[]
  readonly stopped: () => boolean
  /** A number for the new segment. */
  readonly id: () => number
  /** The new segment is there: called before anything else can happen. */
  readonly onCompacted: (segment: Segment) => void
}

interface LiveRecord {
  readonly segment: Segment
  readonly offset: number
  readonly bytes: Buffer
}

/**
 * Writes the live records of a run of segments into one new file, in their order, which replaces the first of them; the
 * others are unlinked by the caller. A crash before the replacement leaves everything as it was, a crash after it some
 * records twice.
 * @returns whether it was done; {@link Segment.moved} of the old segments is set then
 * @throws {NodeJS.ErrnoException} when the disk does not take it; nothing has changed then
 */
export async function compact(options: CompactionOptions): Promise<boolean> {
  const { fs, run } = options
  const [first] = run
  if (first === undefined) return false
  const records: LiveRecord[] = []
  for (const segment of run) {
    const bytes = await readWhole(fs, segment.path)
    if (options.stopped() || run.some(({ removed }) => removed)) return false
    const { released } = segment
    scanSegment(bytes, ({ offset, size }) => {
      // A copy, or a few live records would keep all of the segment in memory.
      if (!released.has(offset))
        records.push({ segment, offset, bytes: Buffer.from(bytes.subarray(offset, offset + size)) })
    })
  }
  // From here on in one go: what was released while the files were read stays out, and nothing can be released meanwhile.
  const releasedNow = new Map(run.map(segment => [segment, segment.released]))
  const kept = records.filter(({ segment, offset }) => !releasedNow.get(segment)?.has(offset))
  // What cannot be read any more cannot be moved either.
  if (kept.length !== sum(run, segment => segment.live)) return false
  options.onCompacted(write(options, first, kept))
  return true
}

function write({ fs, sync, directory, run, id }: CompactionOptions, first: Segment, records: LiveRecord[]): Segment {
  const { firstSequence, path, releasedPath } = first
  // A run of its own, so that the companion file of the segment that it replaces does not fit it.
  const origin = randomBytes(8).toString('hex')
  const header = encodeSegmentHeader({ firstSequence, run: origin, createdAt: Date.now() })
  const bytes = Buffer.concat([header, ...records.map(record => record.bytes)])
  writeFile(fs, path + TEMPORARY_SUFFIX, bytes, sync)
  if (first.releasedBytes > 0) unlinkIfThere(fs, releasedPath)
  fs.renameSync(path + TEMPORARY_SUFFIX, path)
  if (sync) fs.syncDirectorySync(directory)
  const segment = new Segment({
    id: id(),
    firstSequence,
    run: origin,
    path,
    releasedPath,
    bytes: bytes.length,
    sealed: true
  })
  const offsets = new Map(run.map(old => [old, new Map<number, number>()]))
  let at = header.length
  for (const record of records) {
    offsets.get(record.segment)?.set(record.offset, at)
    segment.add(record.bytes.length)
    at += record.bytes.length
  }
  for (const [old, moved] of offsets) old.moved = { to: segment, offsets: moved }
  return segment
}

function writeFile(fs: FileSystem, path: string, bytes: Buffer, sync: boolean): void {
  const fd = fs.openSync(path, 'wx+')
  try {
    for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at, bytes.length - at, at)
    if (sync) fs.fdatasyncSync(fd)
  } catch (error) {
    unlinkIfThere(fs, path)
    throw error
  } finally {
    fs.closeSync(fd)
  }
}

function unlinkIfThere(fs: FileSystem, path: string): void {
  try {
    fs.unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
