import { randomBytes } from 'node:crypto'
import { TEMPORARY_SUFFIX } from './directory.ts'
import { unlinkIfThere, type FileSystem } from './file-system.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './format.ts'
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
    // A sealed one without a live record is there only because the start could not read it.
    const candidate =
      segment.sealed &&
      segment.live > 0 &&
      (segment.liveBytes <= segment.bytes * SPARSE || segment.bytes <= segmentBytes * SMALL)
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
  /**
   * The new segment is there: called before anything else can happen.
   * @param run what it replaces: those that are left
   * @param error the machine's crash may bring the first of the old ones back, with this; undefined: it may not
   */
  readonly onCompacted: (run: readonly Segment[], segment: Segment, error: NodeJS.ErrnoException | undefined) => void
}

interface LiveRecord {
  readonly segment: Segment
  readonly offset: number
  readonly bytes: Buffer
}

/**
 * Writes the live records of a run of segments into one new file, in their order, which replaces the first of them; the
 * others are unlinked by the caller. Segments that are delivered or given up meanwhile are left out. A crash before the replacement leaves everything as it was, a crash after it some
 * records twice.
 * @returns whether it was done; {@link Segment.moved} of the old segments is set then
 * @throws {NodeJS.ErrnoException} when the disk does not take it; nothing has changed then
 */
export async function compact(options: CompactionOptions): Promise<boolean> {
  const { fs } = options
  const records: LiveRecord[] = []
  for (const segment of options.run) {
    if (!segment.removed) records.push(...(await liveRecords(fs, segment)))
    if (options.stopped()) return false
  }
  // From here on in one go: what was released while the files were read stays out, and nothing can be released meanwhile.
  const run = options.run.filter(({ removed }) => !removed)
  const [first] = run
  if (first === undefined) return true
  const releasedNow = new Map(run.map(segment => [segment, segment.released]))
  const kept = records.filter(({ segment, offset }) => releasedNow.get(segment)?.has(offset) === false)
  // What cannot be read any more cannot be moved either.
  if (kept.length !== sum(run, segment => segment.live)) return false
  const origin = randomBytes(8).toString('hex')
  const bytes = writeFile(options, first, origin, kept)
  let failure: NodeJS.ErrnoException | undefined
  try {
    if (options.sync) fs.syncDirectorySync(options.directory)
  } catch (error) {
    // The old file has lost its name all the same.
    failure = error as NodeJS.ErrnoException
  }
  options.onCompacted(run, move(run, options.id(), origin, kept, bytes), failure)
  return true
}

async function liveRecords(fs: FileSystem, segment: Segment): Promise<LiveRecord[]> {
  const records: LiveRecord[] = []
  let bytes: Buffer
  try {
    bytes = await readWhole(fs, segment.path)
  } catch (error) {
    if (segment.removed) return records
    throw error
  }
  const { released } = segment
  // What a failed write has left behind the records is not one of them.
  scanSegment(bytes.subarray(0, segment.bytes), ({ offset, size }) => {
    // A copy, or a few live records would keep all of the segment in memory.
    if (!released.has(offset)) {
      records.push({ segment, offset, bytes: Buffer.from(bytes.subarray(offset, offset + size)) })
    }
  })
  return records
}

/**
 * Puts a file with the records in the place of the first segment's.
 * @param origin a run of its own, so that the companion file of the segment that it replaces does not fit it
 * @returns its size
 * @throws {NodeJS.ErrnoException} when nothing has changed
 */
function writeFile(
  { fs, sync }: CompactionOptions,
  { firstSequence, path, releasedPath }: Segment,
  origin: string,
  records: readonly LiveRecord[]
): number {
  const header = encodeSegmentHeader({ firstSequence, run: origin, createdAt: Date.now() })
  const bytes = Buffer.concat([header, ...records.map(record => record.bytes)])
  const temporary = path + TEMPORARY_SUFFIX
  // An attempt that failed may have left it.
  unlinkIfThere(fs, temporary)
  try {
    const fd = fs.openSync(temporary, 'wx+')
    try {
      for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at, bytes.length - at, at)
      if (sync) fs.fdatasyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(temporary, path)
  } catch (error) {
    removeQuietly(fs, temporary)
    throw error
  }
  removeQuietly(fs, releasedPath)
  return bytes.length
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    unlinkIfThere(fs, path)
  } catch {
    // A temporary file goes with the next attempt or start; a companion file does not fit any more.
  }
}

function move(
  run: readonly Segment[],
  id: number,
  origin: string,
  records: readonly LiveRecord[],
  bytes: number
): Segment {
  const [{ firstSequence, path, releasedPath }] = run as [Segment]
  const segment = new Segment({ id, firstSequence, run: origin, path, releasedPath, bytes, sealed: true })
  const offsets = new Map(run.map(old => [old, new Map<number, number>()]))
  let at = SEGMENT_HEADER_BYTES
  for (const record of records) {
    offsets.get(record.segment)?.set(record.offset, at)
    segment.add(record.bytes.length)
    at += record.bytes.length
  }
  for (const [old, moved] of offsets) old.moved = { to: segment, offsets: moved }
  return segment
}
