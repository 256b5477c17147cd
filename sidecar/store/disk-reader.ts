import { basename } from 'node:path'
import { JournalShortError } from '../journal/errors.ts'
import type { Journal } from '../journal/journal.ts'
import type { JournalObserver } from '../journal/observer.ts'
import { decodeRecord } from '../journal/payload.ts'
import type { Segment } from '../journal/segment.ts'
import type { JournalQueue } from './journal-queue.ts'
import { PendingEvent } from './pending-event.ts'
import type { AcceptedEvent } from './store.ts'

/** What reading back asks of the store. */
export interface ReaderOwner {
  /** undefined while it cannot be opened. */
  readonly openJournal: Journal | undefined
  /** Whether memory has room for another event to wait in. */
  readonly hasReadAhead: boolean
  /** An event was read, and is in memory now. */
  keep(event: PendingEvent): void
  /** The next event of a queue is lost. */
  unreadable(): void
  /** Something can be taken. */
  available(): void
}

/** Read at a time, bytes. */
const READ_BYTES = 256 * 1024
/** What a topic may have in memory however much others have there: a burst's worth. */
const LEAST_BYTES = 64 * 1024
/** Between attempts at a record that cannot be read, ms. */
const RETRY_MS = 1000
/** Attempts to read a record before others of its topic get their turn. */
const ATTEMPTS = 5
/** Errors after which there is nothing to be read any more. Any other may pass, and time alone drops nothing. */
const LOST: ReadonlySet<string | undefined> = new Set(['ENOENT', 'JOURNAL_SHORT'])

/** Brings events back into memory when their turn comes, a chunk of a segment at a time. */
export class DiskReader {
  readonly #owner: ReaderOwner
  readonly #observer: JournalObserver
  readonly #retries = new Set<NodeJS.Timeout>()
  /** Read into by one queue at a time: what a read leaves is garbage that V8 hardly feels, and collects late. */
  #memory: Buffer | undefined = Buffer.allocUnsafeSlow(READ_BYTES)
  #stopped = false

  constructor(owner: ReaderOwner, observer: JournalObserver) {
    this.#owner = owner
    this.#observer = observer
  }

  /** Reads on for a queue, when it needs that and memory has room. */
  fill(queue: JournalQueue): void {
    const journal = this.#owner.openJournal
    if (queue.reading || this.#stopped || journal === undefined) return
    if (this.#hasEnough(queue)) return
    const next = queue.source?.peek()
    if (next === undefined) return
    const place = journal.locate(next.segmentId, next.offset)
    if (place === undefined) return this.#giveUp(queue, journal)
    queue.reading = true
    const memory = this.#memory
    this.#memory = undefined
    const read = (error: NodeJS.ErrnoException | null, bytes: Buffer): void => {
      this.#memory ??= memory
      queue.reading = false
      if (this.#stopped) return
      // An error behind the record is the next read's affair.
      if (bytes.length < next.size) {
        return this.#failed(
          queue,
          journal,
          error ?? new JournalShortError(`${place.segment.path} is shorter than it was`)
        )
      }
      queue.failedReads = 0
      this.#takeFrom(queue, journal, place.segment, place.offset, bytes)
      this.#owner.available()
    }
    // After an error only what is needed: what cannot be read may be another record's.
    const length = queue.failedReads > 0 ? next.size : Math.max(next.size, READ_BYTES)
    journal.read(place.segment, place.offset, length, read, memory)
  }

  #hasEnough(queue: JournalQueue): boolean {
    return queue.memoryBytes >= LEAST_BYTES && !this.#owner.hasReadAhead
  }

  stop(): void {
    this.#stopped = true
    for (const retry of this.#retries) clearTimeout(retry)
  }

  /** @param bytes of the segment from `offset` on */
  #takeFrom(queue: JournalQueue, journal: Journal, segment: Segment, offset: number, bytes: Buffer): void {
    const index = queue.source
    if (index === undefined) return
    const replayed = index === queue.recovered
    for (let next = index.peek(); next !== undefined; next = index.peek()) {
      // Compaction may have moved the segment's records while it was read.
      const place = journal.locate(next.segmentId, next.offset)
      if (place?.segment !== segment) return
      const at = place.offset - offset
      if (at < 0 || at + next.size > bytes.length) return
      if (this.#hasEnough(queue)) return
      let event: PendingEvent
      try {
        const { accepted, sequence } = decodeRecord(bytes, at)
        event = new PendingEvent(ownData(accepted, bytes), sequence, replayed)
      } catch {
        // It was whole when it was written, or when the start read it.
        const file = basename(segment.path)
        const kept = journal.quarantine(segment, place.offset, bytes.subarray(at, at + next.size))
        this.#observer.quarantined('record', { segment: file, offset: place.offset, records: 1, file: kept })
        this.#giveUp(queue, journal)
        continue
      }
      index.shift()
      event.segment = segment
      event.offset = place.offset
      event.size = next.size
      this.#owner.keep(event)
      queue.readBack(event)
    }
  }

  #failed(queue: JournalQueue, journal: Journal, error: NodeJS.ErrnoException): void {
    this.#observer.failed(error, 'read')
    queue.failedReads++
    if (queue.failedReads >= ATTEMPTS) {
      queue.failedReads = 0
      if (LOST.has(error.code)) this.#giveUp(queue, journal)
      // One page only; any other error is every record's.
      else if (error.code === 'EIO') queue.postpone()
    }
    queue.reading = true
    const retry = setTimeout(() => {
      this.#retries.delete(retry)
      queue.reading = false
      this.fill(queue)
    }, RETRY_MS)
    this.#retries.add(retry)
  }

  /** The next event of a queue cannot be read. */
  #giveUp(queue: JournalQueue, journal: Journal): void {
    const index = queue.source
    const next = index?.peek()
    if (index === undefined || next === undefined) return
    index.shift()
    const place = journal.locate(next.segmentId, next.offset)
    if (place !== undefined) journal.releaseAt(place, next.size)
    this.#owner.unreadable()
  }
}

/** The memory that was read into is used again: what an event has of it is copied. */
function ownData(accepted: AcceptedEvent, bytes: Buffer): AcceptedEvent {
  const { attributes, data } = accepted.event
  if (data.buffer !== bytes.buffer || bytes.byteLength > READ_BYTES) return accepted
  return { ...accepted, event: { attributes, data: Buffer.from(data) } }
}
