/** The longest that the timeout becomes by doubling, in ms. */
const MAX_TIMEOUT_MS = 10 * 60_000
/** What the time between two looks counts at most, in ms: a process that stood still has not been waiting for reports. */
const MAX_STEP_MS = 1000

/**
 * Decides when a producer is dead although the process is healthy: records are in flight, nothing was reported on for
 * too long, and yet a broker answers. Where none answers Kafka is away, and librdkafka comes back by itself.
 *
 * Kafka must have answered twice in a row, a quarter of the timeout apart: after an outage the first answer may come
 * before librdkafka has connected again.
 */
export class Watchdog {
  readonly #firstTimeout: number
  #timeout: number
  /** ms for which records were in flight and nothing was reported. */
  #silent = 0
  #lastLook: number | undefined
  #reported = false
  #isAsking = false
  /** Whether a report came while the question was open: its answer says nothing about the silence after. */
  #isOutdated = false
  /** Value of {@link #silent} at which Kafka is asked. */
  #askAt = 0
  /** Questions in a row that were answered. */
  #answers = 0

  /** @param timeout ms without a report after which a producer is dead */
  constructor(timeout: number) {
    this.#firstTimeout = timeout
    this.#timeout = timeout
    this.restart()
  }

  /** Seconds since the last report, for as long as records have been in flight. */
  get silentSeconds(): number {
    return Math.round(this.#silent / 1000)
  }

  /** A report came in. */
  reported(): void {
    this.#reported = true
  }

  /**
   * To be called every now and then.
   * @param isInFlight whether any record is
   * @param now monotonic ms
   * @returns whether to ask Kafka something now; {@link answered} takes the answer
   */
  look(isInFlight: boolean, now: number): boolean {
    const step = Math.min(now - (this.#lastLook ?? now), MAX_STEP_MS)
    this.#lastLook = now
    if (this.#reported || !isInFlight) {
      this.#lastLook = undefined
      if (this.#reported) this.#timeout = this.#firstTimeout
      this.#startAnew()
      return false
    }
    this.#silent += step
    if (this.#isAsking || this.#silent < this.#askAt) return false
    this.#isAsking = true
    this.#askAt = this.#silent + this.#timeout / 4
    return true
  }

  /**
   * What became of the question.
   * @returns whether to replace the producer
   */
  answered(byBroker: boolean): boolean {
    this.#isAsking = false
    const counts = byBroker && !this.#reported && !this.#isOutdated
    this.#isOutdated = false
    this.#answers = counts ? this.#answers + 1 : 0
    return this.#answers >= 2
  }

  /** The producer was replaced because of this: the next one is given twice the time. */
  replaced(): void {
    this.#timeout = Math.max(this.#firstTimeout, Math.min(this.#timeout * 2, MAX_TIMEOUT_MS))
  }

  /** There is another producer. What the last one was asked it will not answer. */
  restart(): void {
    this.#startAnew()
    this.#isAsking = this.#isOutdated = false
  }

  #startAnew(): void {
    this.#silent = 0
    this.#answers = 0
    this.#reported = false
    this.#isOutdated = this.#isAsking
    this.#askAt = (this.#timeout * 3) / 4
  }
}
