import { crc32 } from 'node:zlib'
import { mergeRanges, type ByteRange } from './ranges.ts'
import { ReleasedRanges } from './scan.ts'

/** What a segment is made with. */
export interface SegmentOptions {
  readonly id: number
  readonly firstSequence: number
  /** Of its header. */
  readonly run: string
  readonly path: string
  readonly releasedPath: string
  /** Its size so far. */
  readonly bytes: number
  readonly sealed: boolean
}

/** Where the records of a compacted segment are. */
export interface Moved {
  readonly to: Segment
  /** New offsets by old ones; a record that is not there had been released. */
  readonly offsets: ReadonlyMap<number, number>
}

/**
 * What the entries of a companion file are salted with. Names alone do not do: a journal that was emptied begins with the
 * same names again, and releases of an old segment applied to a new one would be a loss.
 */
export function releaseSalt(run: string, firstSequence: number): number {
  return crc32(`${run}:${firstSequence}`)
}

/** One file of the journal, and what of it is still needed. Identity of a record: its segment and offset. */
export class Segment {
  /** Number within this process, from 1: what an index holds instead of a reference. */
  readonly id: number
  readonly firstSequence: number
  /** Ties the companion file to this very segment, also when a later one gets its name: see {@link releaseSalt}. */
  readonly salt: number
  readonly path: string
  /** Companion file with the ranges that were released: see releases.ts. */
  readonly releasedPath: string
  /** Open while it is written, and while it is read. */
  fd: number | undefined
  /** Bytes written completely, header included. */
  bytes: number
  /** Whether there is a companion file; one that could not be written may be empty. */
  hasCompanion = false
  /** Size of the companion file, as far as its entries count. */
  releasedBytes = 0
  /** Records that were written and not released. */
  live = 0
  liveBytes = 0
  /** Nothing will be added. */
  sealed: boolean
  /** Its files are gone, or about to be. */
  removed = false
  /** Asynchronous operations on the descriptor: it must not be closed under them. */
  users = 0
  /** Bytes that are known to be on the device, in durability `kafka`. */
  syncedBytes = 0
  /** Why a sync failed, in durability `kafka`: what was not on the device by then may never get there. */
  syncFailure: NodeJS.ErrnoException | undefined
  /** Where its records are now, when it was compacted. */
  moved: Moved | undefined
  /** Released, and noted in the companion file. */
  #released: ByteRange[] = []
  #unsaved: ByteRange[] = []

  constructor(options: SegmentOptions) {
    this.id = options.id
    this.firstSequence = options.firstSequence
    this.salt = releaseSalt(options.run, options.firstSequence)
    this.path = options.path
    this.releasedPath = options.releasedPath
    this.bytes = options.bytes
    this.sealed = options.sealed
  }

  /** A record was written, or found. */
  add(size: number): void {
    this.live++
    this.liveBytes += size
  }

  /** A record is needed no more. @returns whether it is the first since the companion file was written */
  release(offset: number, size: number): boolean {
    this.live--
    this.liveBytes -= size
    const last = this.#unsaved.at(-1)
    // Reports mostly come in the order of the records: one growing range then.
    if (last !== undefined && last[0] + last[1] === offset) last[1] += size
    else this.#unsaved.push([offset, size])
    return this.#unsaved.length === 1 && last === undefined
  }

  /** Ranges that were released and are not in the companion file yet. */
  unsaved(): readonly ByteRange[] {
    this.#unsaved = mergeRanges(this.#unsaved)
    return this.#unsaved
  }

  /** All of them are in the companion file. */
  saved(): void {
    this.#released = mergeRanges([...this.#released, ...this.#unsaved])
    this.#unsaved = []
  }

  /** Ranges that the companion file held at the start. */
  wasReleased(ranges: readonly ByteRange[]): void {
    this.#released = mergeRanges(ranges)
  }

  /** Everything that was released so far. */
  get released(): ReleasedRanges {
    return new ReleasedRanges([...this.#released, ...this.#unsaved])
  }
}
