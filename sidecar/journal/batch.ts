import type { AcceptedEvent } from '../store/store.ts'
import { encodeRecord, recordBytesBound } from './payload.ts'
import type { Segment } from './segment.ts'

/** An event with its place in the journal. */
export interface JournalRecord extends AcceptedEvent {
  readonly sequence: number
  /** undefined: not written. */
  segment: Segment | undefined
  /** Where in the segment, once written. */
  offset: number
  /** Encoded, in bytes. */
  size: number
}

/** Told when a batch is safe, or why it is not. */
export type CommitCallback = (error: NodeJS.ErrnoException | undefined) => void

/** What a batch's buffer may grow to and still be kept for the next. */
const KEPT_BYTES = 512 * 1024
const FIRST_BYTES = 64 * 1024

/** Records that are written together. Encoded when they come, so that the events' turn pays and not the write's. */
export class Batch {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #used = 0
  readonly records: JournalRecord[] = []
  readonly #callbacks: CommitCallback[] = []

  /** Bytes to write. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  get length(): number {
    return this.#used
  }

  /** The smallest sequence in it. */
  get firstSequence(): number {
    return this.records.reduce((first, { sequence }) => Math.min(first, sequence), Infinity)
  }

  get isEmpty(): boolean {
    return this.#callbacks.length === 0
  }

  add(records: readonly JournalRecord[], done: CommitCallback): void {
    const before = { used: this.#used, records: this.records.length }
    try {
      for (const record of records) {
        this.#reserve(recordBytesBound(record))
        const end = encodeRecord(this.#buffer, this.#used, record.sequence, record)
        record.offset = this.#used
        record.size = end - this.#used
        this.#used = end
        this.records.push(record)
      }
    } catch (error) {
      // Half of a request's events must not be written.
      this.#used = before.used
      this.records.length = before.records
      throw error
    }
    this.#callbacks.push(done)
  }

  /** The batch is in `segment`, from `base` on. */
  placed(segment: Segment, base: number): void {
    for (const record of this.records) {
      record.segment = segment
      record.offset += base
      segment.add(record.size)
    }
  }

  /** Tells everybody, and makes the batch ready for other records. */
  settle(error: NodeJS.ErrnoException | undefined): void {
    const callbacks = this.#callbacks.splice(0)
    this.records.length = 0
    this.#used = 0
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
    for (const callback of callbacks) callback(error)
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#used + bytes, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#used)
    this.#buffer = larger
  }
}
