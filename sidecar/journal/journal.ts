import { basename } from 'node:path'
import type { AcceptedEvent } from '../store/store.ts'
import type { CommitCallback, JournalRecord } from './batch.ts'
import { compact, segmentsToCompact } from './compaction.ts'
import { JournalDirectory, type FoundSegments } from './directory.ts'
import type { FileSystem } from './file-system.ts'
import { SEGMENT_HEADER_BYTES } from './format.ts'
import { GroupCommit } from './group-commit.ts'
import type { Unlock } from './lock.ts'
import type { JournalObserver } from './observer.ts'
import { recordBytesBound } from './payload.ts'
import { recoverSegments, type RecoveredRecord } from './recovery.ts'
import { readSegment, syncSegment } from './segment-io.ts'
import type { Segment } from './segment.ts'
import { Segments, type Place } from './segments.ts'

/** How often released ranges are noted on disk, and a drained journal is emptied, ms. */
const NOTE_EVERY_MS = 1000

/** What {@link Journal.probe} writes: more than the rest of a block that a full disk may still have. */
const PROBE = Buffer.alloc(64 * 1024)

/** Part of the bound from which on it is worth looking for dead space. */
const COMPACT_FROM = 1 / 2
/** Wait after a compaction that came to nothing, ms. */
const COMPACT_RETRY_MS = 30_000

/** What a journal is made with. */
export interface JournalOptions {
  readonly directory: string
  /** Bound of all segments, in bytes. */
  readonly maxBytes: number
  /** A segment that has reached this is followed by another. */
  readonly segmentBytes: number
  /** Acknowledge after fdatasync instead of after the write. */
  readonly fsync: boolean
  /** Files are to survive a crash of the machine, also where records are synced only when {@link Journal.sync} asks. */
  readonly syncNames: boolean
  readonly fs: FileSystem
  /** @throws {JournalInUseError} when another process owns the directory */
  readonly lock: (directory: string) => Unlock
  readonly observer: JournalObserver
  /** Random text of 16 hexadecimal digits, one per process. */
  readonly run: string
  /** Monotonic ms. */
  readonly now: () => number
}

/**
 * Events on disk: appended, read back, released. A process writes to segments of its own and never to those that an
 * earlier one left, which it only reads, releases and removes.
 */
export class Journal {
  readonly #o: JournalOptions
  readonly #directory: JournalDirectory
  readonly #commit: GroupCommit
  readonly #unlock: Unlock
  readonly #found: FoundSegments
  readonly #segments: Segments
  /** The one that is written to. */
  #active: Segment | undefined
  #nextSequence: number
  #recovering: boolean
  #recovery: Promise<void> = Promise.resolve()
  #compaction: Promise<void> = Promise.resolve()
  #compacting = false
  #compactAfter = 0
  readonly #timer: NodeJS.Timeout
  #closed = false

  /**
   * Takes possession of a directory, which is made when it is not there.
   * @throws {JournalInUseError | JournalVersionError | NodeJS.ErrnoException}
   */
  static open(options: JournalOptions): Journal {
    const { fs, directory } = options
    fs.mkdirSync(directory)
    const unlock = options.lock(directory)
    try {
      const files = new JournalDirectory(fs, directory, options.maxBytes)
      return new Journal(options, files, files.find(), unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  private constructor(options: JournalOptions, directory: JournalDirectory, found: FoundSegments, unlock: Unlock) {
    const { fs, observer, segmentBytes } = options
    this.#o = options
    this.#directory = directory
    this.#found = found
    this.#unlock = unlock
    this.#nextSequence = found.nextSequence
    this.#segments = new Segments({
      fs,
      directory,
      syncNames: options.syncNames,
      onRemoveFailed: error => observer.failed(error, 'unlink')
    })
    for (const { firstSequence, bytes, header } of found.segments) {
      this.#segments.adopt(firstSequence, header.run, bytes)
    }
    this.#recovering = found.segments.length > 0
    this.#commit = new GroupCommit({
      fs,
      observer,
      fsync: options.fsync,
      now: options.now,
      segment: firstSequence => this.#writable(firstSequence),
      onWritten: (segment, bytes) => {
        this.#segments.bytes += bytes
        if (segment.bytes >= segmentBytes) this.#seal(segment)
      },
      onBroken: segment => this.#seal(segment)
    })
    this.#timer = setInterval(() => this.#tidy(), NOTE_EVERY_MS).unref()
  }

  /** A number for the next event; greater than that of every event in the journal. */
  nextSequence(): number {
    return this.#nextSequence++
  }

  /** Size of all files that hold or describe events, and of what is on its way there. */
  get bytes(): number {
    return this.#segments.bytes + this.#commit.waitingBytes
  }

  get segments(): number {
    return this.#segments.all.length
  }

  /** Longest write or sync so far, in seconds. */
  get longestCommitSeconds(): number {
    return this.#commit.longestSeconds
  }

  /** Bytes of records that are on their way to the disk, and in memory until they are there. */
  get waitingBytes(): number {
    return this.#commit.waitingBytes
  }

  /** Whether events fit below the bound. */
  hasRoom(events: readonly AcceptedEvent[]): boolean {
    return this.bytes + boundOf(events) <= this.#o.maxBytes
  }

  /** Whether they do in a journal that is empty. */
  canHold(events: readonly AcceptedEvent[]): boolean {
    return SEGMENT_HEADER_BYTES + boundOf(events) <= this.#o.maxBytes
  }

  /**
   * Writes records at the end of this turn of the event loop, all or none.
   * @param done called when they are as safe as the durability says, with their places set; or with the error
   */
  append(records: readonly JournalRecord[], done: CommitCallback): void {
    if (records.length === 0) return done(undefined)
    this.#commit.add(records, done)
  }

  /**
   * Tries whether the disk takes something, and takes it back.
   * @param firstSequence of what is to be written next
   * @throws {NodeJS.ErrnoException} when it does not
   */
  probe(firstSequence: number): void {
    if (!this.#commit.isIdle) return
    const { fs } = this.#o
    const segment = this.#writable(firstSequence)
    const { fd } = segment
    if (fd === undefined) return
    try {
      for (let at = 0; at < PROBE.length;) at += fs.writeSync(fd, PROBE, at, PROBE.length - at, segment.bytes + at)
      fs.ftruncateSync(fd, segment.bytes)
    } catch (error) {
      try {
        fs.ftruncateSync(fd, segment.bytes)
      } catch {
        // Zeros at the end of a segment are what a scan calls torn.
      }
      this.#seal(segment)
      throw error
    }
  }

  /** A record is needed no more; its place becomes meaningless. */
  release(record: JournalRecord): void {
    const { segment, offset, size } = record
    record.segment = undefined
    if (segment !== undefined) this.#segments.release(segment, offset, size)
  }

  /** The same for one that is on disk only. */
  releaseAt({ segment, offset }: Place, size: number): void {
    this.#segments.release(segment, offset, size)
  }

  /** Where a record is at present; undefined when it is gone. Places change by compaction only. */
  locate(segmentId: number, offset: number): Place | undefined {
    return this.#segments.locate(segmentId, offset)
  }

  /**
   * Reads what earlier runs left, segment after segment; appending goes on meanwhile.
   * @param onRecord called for each record that was not released, in order
   */
  recover(onRecord: (record: RecoveredRecord) => void): Promise<void> {
    const recovery = this.#recover(onRecord)
    this.#recovery = recovery.catch(() => {})
    return recovery
  }

  async #recover(onRecord: (record: RecoveredRecord) => void): Promise<void> {
    const { fs, observer, now } = this.#o
    const segments = this.#segments.all.slice(0, this.#found.segments.length)
    this.#clearUp()
    try {
      await recoverSegments({
        fs,
        observer,
        directory: this.#directory,
        segments,
        now,
        stopped: () => this.#closed,
        onRecord,
        onRead: segment => {
          // A torn tail was cut off, and a companion file found.
          this.#segments.measure()
          if (segment.live === 0) this.#segments.remove(segment)
        }
      })
    } finally {
      this.#recovering = false
    }
  }

  /**
   * Reads bytes of a segment.
   * @param length at most; fewer come at the end of what is written
   * @param memory to read into, if it is large enough
   */
  read(
    segment: Segment,
    offset: number,
    length: number,
    done: (error: NodeJS.ErrnoException | null, bytes: Buffer) => void,
    memory?: Buffer
  ): void {
    readSegment(this.#o.fs, segment, offset, length, memory, () => this.#segments.closeIfIdle(segment), done)
  }

  /** Keeps a damaged record. @returns where; undefined when there is no room for it */
  quarantine(segment: Segment, offset: number, bytes: Buffer): string | undefined {
    return this.#directory.quarantineBytes(basename(segment.path), offset, bytes)
  }

  /** Waits until everything written to a segment is on the device. */
  sync(was: Segment, done: (error: NodeJS.ErrnoException | null) => void): void {
    let segment = was
    while (segment.moved !== undefined) segment = segment.moved.to
    const { fs, observer, now } = this.#o
    const start = now()
    const idle = (): void => this.#segments.closeIfIdle(segment)
    syncSegment(fs, segment, idle, error => {
      if (!error) observer.synced((now() - start) / 1000)
      done(error)
    })
  }

  /** Segments whose events may be given up, oldest first; none while what earlier runs left is still being read. */
  get givable(): readonly Segment[] {
    return this.#recovering ? [] : this.#segments.all
  }

  /**
   * Makes a segment one that goes when everything in it is released.
   * @returns the numbers that its records are known by; undefined while it is being written to
   */
  giveUp(segment: Segment): ReadonlySet<number> | undefined {
    if (segment === this.#active && this.#commit.isWriting) return undefined
    const ids = this.#segments.idsOf(segment)
    if (segment === this.#active) this.#seal(segment)
    return ids
  }

  /** Ends: writes what is on its way, notes what was released, and gives the directory up. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    await this.#commit.idle()
    await Promise.all([this.#recovery, this.#compaction])
    // Whoever owns the directory next must not see files go.
    if (this.#active !== undefined) this.#seal(this.#active)
    this.#segments.noteReleases()
    this.#segments.closeAll()
    await this.#segments.unlinked()
    this.#unlock()
  }

  /** What the start found and nobody needs; on a disk that cannot be written it stays, which does no harm. */
  #clearUp(): void {
    const { fs, observer } = this.#o
    for (const name of this.#found.useless) {
      try {
        fs.unlinkSync(this.#directory.file(name))
      } catch (error) {
        observer.failed(error as NodeJS.ErrnoException, 'unlink')
      }
    }
    for (const name of this.#found.corrupt) {
      let file: string | undefined
      try {
        file = this.#directory.quarantineFile(name)
      } catch (error) {
        observer.failed(error as NodeJS.ErrnoException, 'quarantine')
      }
      observer.quarantined('segment', { segment: name, file })
    }
  }

  #tidy(): void {
    this.#segments.noteReleases()
    // Nothing pending: an empty directory cannot deliver anything twice.
    if (this.#active?.live === 0 && this.#active.bytes > SEGMENT_HEADER_BYTES && this.#commit.isIdle) {
      this.#seal(this.#active)
    }
    this.#compactIfWorthwhile()
  }

  /** Half full, and much of that is dead: records that cannot be delivered yet hold whole segments. */
  #compactIfWorthwhile(): void {
    const { maxBytes, segmentBytes, fs, syncNames, observer, now } = this.#o
    if (this.#compacting || this.#recovering || this.#segments.bytes < maxBytes * COMPACT_FROM) return
    if (now() < this.#compactAfter) return
    const run = segmentsToCompact(this.#segments.all, segmentBytes)
    if (run === undefined) return
    this.#compacting = true
    const compaction = compact({
      fs,
      sync: syncNames,
      directory: this.#o.directory,
      run,
      stopped: () => this.#closed,
      id: () => this.#segments.nextId(),
      onCompacted: (left, segment, error) => {
        if (error !== undefined) observer.failed(error, 'compaction')
        this.#segments.replace(left, segment, error === undefined)
      }
    })
    this.#compaction = compaction
      .catch((error: unknown) => {
        observer.failed(error as NodeJS.ErrnoException, 'compaction')
        return false
      })
      .then(done => {
        this.#compacting = false
        if (!done) this.#compactAfter = now() + COMPACT_RETRY_MS
      })
  }

  /** @throws {NodeJS.ErrnoException} */
  #writable(firstSequence: number): Segment {
    const active = this.#active
    // Segments sort by their first sequence. And one that a failed sync has put in doubt gets nothing more.
    if (active !== undefined && (firstSequence < active.firstSequence || active.syncFailure !== undefined)) {
      this.#seal(active)
    }
    this.#active ??= this.#segments.create(firstSequence, this.#o.run)
    return this.#active
  }

  #seal(segment: Segment): void {
    if (this.#active === segment) this.#active = undefined
    this.#segments.seal(segment)
  }
}

function boundOf(events: readonly AcceptedEvent[]): number {
  return events.reduce((sum, event) => sum + recordBytesBound(event), 0)
}
