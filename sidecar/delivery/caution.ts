/** For how long a size that was refused is believed in, in ms: a topic's limit can be raised. */
const CEILING_MS = 60_000
/** From this burst size on, in bytes, there is nothing to be careful about: librdkafka makes no larger batches. */
const CAREFREE_BYTES = 1024 * 1024

/**
 * How a topic is served that has refused a batch.
 *
 * A broker judges batches and not records: a batch is too large for the topic, or one record in it is invalid, and all of
 * its records come back with the error, since librdkafka does not split batches as the Java client does. So the lane
 * sends one burst at a time, with nothing else in flight, halves it as often as it is refused, and doubles it as often
 * as it is taken. A record that is refused in a burst of its own is the one to blame. A size that was refused for its
 * size is remembered, so that a topic with a small limit is served at that limit.
 */
export class Caution {
  #active = false
  /** Bytes that the next burst may have; at least one record goes all the same. */
  #cap = Infinity
  #ceiling = Infinity
  #ceilingUntil = 0
  #burstOpen = false
  #burstBytes = 0
  #burstRecords = 0
  #refusedBytes = 0
  #refusedForSize = false
  #taken = false

  /** A turn of sending begins. @param inFlight records of the lane that are in flight */
  beginTurn(inFlight: number): void {
    if (!this.#active) return
    this.#burstOpen = inFlight === 0
    if (this.#burstOpen) this.#burstBytes = this.#burstRecords = 0
  }

  /** Whether a record of that size may be sent now. */
  admits(bytes: number): boolean {
    if (!this.#active) return true
    return this.#burstOpen && (this.#burstRecords === 0 || this.#burstBytes + bytes <= this.#cap)
  }

  /** A record was sent. */
  sent(bytes: number): void {
    this.#burstBytes += bytes
    this.#burstRecords++
  }

  /** Whether the record in flight is the only one that the broker can have judged. */
  get isAlone(): boolean {
    return this.#active && this.#burstRecords === 1
  }

  /** A record came back in a refused batch. @param forSize the batch was too large, or might have been */
  refused(bytes: number, forSize: boolean): void {
    this.#active = true
    this.#burstOpen = false
    this.#refusedBytes += bytes
    this.#refusedForSize ||= forSize
  }

  /** A record was delivered. */
  taken(): void {
    this.#taken = true
  }

  /** A record was refused alone. What was learnt from batches that held it says nothing about the others. */
  blamed(): void {
    this.#ceiling = Infinity
  }

  /** Everything that was in flight has been reported on. @param now monotonic ms */
  burstEnded(now: number): void {
    const taken = this.#taken
    this.#taken = false
    if (!this.#active) return
    if (now > this.#ceilingUntil) this.#ceiling = Infinity
    if (this.#refusedBytes > 0) {
      if (this.#refusedForSize) {
        this.#ceiling = Math.min(this.#ceiling, this.#refusedBytes)
        this.#ceilingUntil = now + CEILING_MS
      }
      this.#cap = Math.floor(this.#refusedBytes / 2)
      this.#refusedBytes = 0
      this.#refusedForSize = false
      return
    }
    // Nothing was taken: it failed for a reason that says nothing about size.
    if (!taken) return
    this.#cap = Math.min(this.#cap * 2, this.#ceiling - 1)
    if (this.#cap >= CAREFREE_BYTES) {
      this.#active = false
      this.#cap = Infinity
    }
  }
}
