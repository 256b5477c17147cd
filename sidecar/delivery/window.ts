import type { Lane } from './lane.ts'

/** Part of the window that only lanes with nothing in flight may use. */
const RESERVED = 1 / 8

/** Records that may be in flight before Kafka has acknowledged any. */
const FIRST_RECORDS = 256

/**
 * Bounds what is in flight, in bytes and records, and shares it among topics.
 *
 * A lane may hold at most as much as is still free for others (a dynamic threshold, after Choudhury and Hahne): one busy
 * topic alone gets half of the window. Topics that get stuck one after another would halve what is left each time and
 * soon have it all, so the last part is kept for lanes that have nothing in flight: each gets a record through, however
 * many others are stuck.
 *
 * It opens as Kafka acknowledges, like TCP's slow start: what is in flight is in memory twice, here and in librdkafka, and
 * with Kafka away that serves nobody. Lanes that have nothing in flight do not wait for that.
 */
export class Window {
  readonly #maxBytes: number
  readonly #maxRecords: number
  #bytes = 0
  #records = 0
  #opened = FIRST_RECORDS

  /** Usable are half of each bound by one topic, and all of it by many. */
  constructor(maxBytes: number, maxRecords: number) {
    this.#maxBytes = maxBytes
    this.#maxRecords = maxRecords
  }

  get records(): number {
    return this.#records
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * What a record counts: at most a quarter of the window, so that one that is larger than all of it can go, and, stuck,
   * does not block everything.
   */
  charge(bytes: number): number {
    return Math.min(bytes, Math.floor(this.#maxBytes / 4))
  }

  /** Whether a record of this charge may go. */
  admits(lane: Lane, charge: number): boolean {
    if (this.#bytes + charge > this.#maxBytes || this.#records >= this.#maxRecords) return false
    if (lane.inFlight === 0) return true
    if (this.#records >= this.#opened) return false
    if (this.#bytes + charge > this.#maxBytes * (1 - RESERVED)) return false
    if (this.#records >= this.#maxRecords * (1 - RESERVED)) return false
    return (
      lane.inFlightBytes + charge <= this.#maxBytes - this.#bytes && lane.inFlight < this.#maxRecords - this.#records
    )
  }

  add(charge: number): void {
    this.#bytes += charge
    this.#records++
  }

  remove(charge: number): void {
    this.#bytes -= charge
    this.#records--
  }

  /** Everything was delivered: what was learnt may not hold the next time. */
  rest(): void {
    this.#opened = FIRST_RECORDS
  }

  /** Kafka has acknowledged a record. Call before {@link remove}. */
  acknowledged(): void {
    if (this.#records * 2 >= this.#opened && this.#opened < this.#maxRecords) this.#opened++
  }
}
