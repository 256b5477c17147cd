/** ms between bursts when nothing has moved for a while: Kafka is away, and asking often helps nobody. */
const SLOW_MS = 25
/** ms without a report after which bursts slow down. */
const STALLED_AFTER_MS = 1000
/** ms between polls with nothing to do: errors and statistics still want to be fetched. */
const IDLE_MS = 500

/** Decides when the next burst happens: soon while events move, seldom while nothing does. */
export class Pacer {
  readonly #burst: () => boolean
  readonly #now: () => number
  readonly #burstMs: number
  #timer: NodeJS.Timeout | undefined
  #idle: NodeJS.Timeout | undefined
  #lastProgress = 0
  #stopped = true

  /**
   * @param burst does one turn of work, and returns whether there is more to do
   * @param now monotonic ms
   * @param burstMs ms between bursts while there is work: what is collected in that time goes to librdkafka together
   */
  constructor(burst: () => boolean, now: () => number, burstMs: number) {
    this.#burst = burst
    this.#now = now
    this.#burstMs = burstMs
  }

  start(): void {
    this.#stopped = false
    // Unreferenced: an open listener keeps the process, this must not.
    this.#idle = setInterval(() => this.#tick(), IDLE_MS).unref()
    this.wake()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#idle)
    this.#timer = undefined
  }

  /** There is something to do: after a rest, the next burst comes within `burstMs`. */
  wake(): void {
    if (this.#timer !== undefined || this.#stopped) return
    this.#lastProgress = this.#now()
    this.#schedule()
  }

  /** A report came in. */
  progress(): void {
    this.#lastProgress = this.#now()
  }

  #schedule(): void {
    const stalled = this.#now() - this.#lastProgress > STALLED_AFTER_MS
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#tick()
      },
      stalled ? SLOW_MS : this.#burstMs
    )
  }

  #tick(): void {
    const more = this.#burst()
    if (more && this.#timer === undefined && !this.#stopped) this.#schedule()
  }
}
