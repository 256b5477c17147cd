import { Batch, type CommitCallback, type JournalRecord } from './batch.ts'
import type { FileSystem } from './file-system.ts'
import type { JournalObserver } from './observer.ts'
import type { Segment } from './segment.ts'

/** A write that took longer makes the following ones asynchronous for a while, ms. */
const SLOW_WRITE_MS = 5
/** For that long, ms. */
const ASYNCHRONOUS_MS = 10_000
/** A batch of this size is written at once, bytes. */
const EARLY_BYTES = 1024 * 1024

/** What group commit needs. */
export interface GroupCommitOptions {
  readonly fs: FileSystem
  readonly observer: JournalObserver
  /** Acknowledge after fdatasync instead of after the write. */
  readonly fsync: boolean
  /** The segment to write records from this sequence on to. @throws {Error} when there is none and none can be made */
  readonly segment: (firstSequence: number) => Segment
  /** A batch of so many bytes was written there. */
  readonly onWritten: (segment: Segment, bytes: number) => void
  /** Writing there failed: nothing more may be written to it. */
  readonly onBroken: (segment: Segment) => void
  /** Monotonic ms. */
  readonly now: () => number
}

/**
 * Writes all events of one turn of the event loop together.
 *
 * Synchronously, while the disk is quick: that is a copy into the page cache, 4 µs an event, where an asynchronous write
 * costs a hop to another thread and back, 25 µs. A disk under write-back pressure can hold a write up for 75 ms and more,
 * so after a slow one writes go to the thread pool for a while. fdatasync always does.
 */
export class GroupCommit {
  readonly #o: GroupCommitOptions
  #filling = new Batch()
  #spare = new Batch()
  #scheduled = false
  #busy = false
  #asynchronousUntil = 0
  #onIdle: (() => void)[] = []
  /** Longest write or sync so far, in seconds. */
  longestSeconds = 0

  constructor(options: GroupCommitOptions) {
    this.#o = options
  }

  /** Bytes that were added and not written yet. */
  get waitingBytes(): number {
    return this.#filling.length + (this.#busy ? this.#spare.length : 0)
  }

  /** Whether a segment is being written to at this moment. */
  get isWriting(): boolean {
    return this.#busy
  }

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    return !this.#busy && this.#filling.isEmpty
  }

  /**
   * Adds records to the present turn's batch, all in one.
   * @param done called when they are safe; or with the error, and then their `segment` is undefined
   */
  add(records: readonly JournalRecord[], done: CommitCallback): void {
    this.#filling.add(records, done)
    if (this.#busy) return
    if (this.#filling.length >= EARLY_BYTES) this.#commit()
    else this.#schedule()
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    while (!this.isIdle) await new Promise<void>(resolve => this.#onIdle.push(resolve))
  }

  #commit(): void {
    if (this.#filling.isEmpty) return
    const batch = this.#filling
    this.#filling = this.#spare
    this.#spare = batch
    this.#busy = true
    const start = this.#o.now()
    let segment: Segment
    try {
      segment = this.#o.segment(batch.firstSequence)
    } catch (error) {
      return this.#settle(batch, error as NodeJS.ErrnoException)
    }
    if (start < this.#asynchronousUntil) return this.#writeLater(batch, segment, start, 0)
    try {
      const { bytes } = batch
      for (let at = 0; at < bytes.length;) {
        at += this.#o.fs.writeSync(fdOf(segment), bytes, at, bytes.length - at, segment.bytes + at)
      }
    } catch (error) {
      return this.#broken(batch, segment, error as NodeJS.ErrnoException)
    }
    this.#written(batch, segment, start)
  }

  #writeLater(batch: Batch, segment: Segment, start: number, at: number): void {
    const { bytes } = batch
    if (at === bytes.length) return this.#written(batch, segment, start)
    this.#o.fs.write(fdOf(segment), bytes, at, bytes.length - at, segment.bytes + at, (error, written) => {
      if (error) this.#broken(batch, segment, error)
      else this.#writeLater(batch, segment, start, at + written)
    })
  }

  #written(batch: Batch, segment: Segment, start: number): void {
    const ms = this.#took(start)
    if (ms > SLOW_WRITE_MS) this.#asynchronousUntil = this.#o.now() + ASYNCHRONOUS_MS
    if (!this.#o.fsync) return this.#safe(batch, segment, ms)
    const syncStart = this.#o.now()
    this.#o.fs.fdatasync(fdOf(segment), error => {
      // What a failed sync leaves in the page cache is not written by a second one (PostgreSQL's "fsyncgate").
      if (error) return this.#broken(batch, segment, error)
      this.#o.observer.synced(this.#took(syncStart) / 1000)
      this.#safe(batch, segment, this.#o.now() - start)
    })
  }

  #safe(batch: Batch, segment: Segment, ms: number): void {
    this.#o.observer.committed(batch.records.length, ms / 1000)
    const base = segment.bytes
    segment.bytes += batch.length
    batch.placed(segment, base)
    this.#o.onWritten(segment, batch.length)
    this.#settle(batch, undefined)
  }

  #broken(batch: Batch, segment: Segment, error: NodeJS.ErrnoException): void {
    try {
      this.#o.fs.ftruncateSync(fdOf(segment), segment.bytes)
    } catch {
      // What is left there was not acknowledged; a scan cuts it off, or delivers it: both are right.
    }
    this.#o.onBroken(segment)
    this.#settle(batch, error)
  }

  #settle(batch: Batch, error: NodeJS.ErrnoException | undefined): void {
    // What waits behind a failure fails with it: written after all, it would overtake what is tried again later.
    const behind = this.#filling
    batch.settle(error)
    if (error !== undefined) behind.settle(error)
    // Only now: what a callback adds is written after all callbacks were called.
    this.#busy = false
    if (!this.#filling.isEmpty) this.#schedule()
    else for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#busy) this.#commit()
    })
  }

  /** @returns ms since `start` */
  #took(start: number): number {
    const ms = this.#o.now() - start
    this.longestSeconds = Math.max(this.longestSeconds, ms / 1000)
    return ms
  }
}

function fdOf(segment: Segment): number {
  if (segment.fd === undefined) throw new Error(`segment ${segment.path} is not open`)
  return segment.fd
}
