import { type KafkaRecord } from '../records/record.ts'
import { type StoredEvent } from '../store/store.ts'
import { backoffMs, type BackoffBounds } from './backoff.ts'

/** An event on its way through a lane. */
export interface Delivery {
  readonly stored: StoredEvent
  readonly lane: Lane
  /** What it counts against the window while in flight, in bytes. */
  charge: number
  /** Sent in a batch of its own, since a batch with it was refused. */
  alone: boolean
  /** Kept after the first attempt only: building it is cheap, holding every record is not. */
  record?: KafkaRecord
}

/**
 * - `new`: nobody has looked whether the topic exists
 * - `preparing`: its creation is under way
 * - `open`: records may go
 */
export type LaneState = 'new' | 'preparing' | 'open'

/** Waits between attempts at the same topic, in ms. */
const BACKOFF: BackoffBounds = { first: 200, max: 30_000 }

/**
 * The events of one topic. A topic that is missing, forbidden or without a leader holds up its own lane and no other.
 */
export class Lane {
  readonly topic: string
  state: LaneState = 'new'
  /** Events that were not sent yet, oldest first, from `#head` on. */
  #waiting: Delivery[] = []
  #head = 0
  /** Events to be sent one at a time with nothing else of this topic in flight. */
  readonly #alone: Delivery[] = []
  /** Events that failed and go back to the front of the queue when the backoff ends. */
  #failed: Delivery[] = []
  #retryAt = 0
  #failures = 0
  inFlight = 0
  inFlightBytes = 0
  #aloneInFlight = false
  /** The last failure, for `/status`; undefined once something was delivered. */
  problem: string | undefined

  constructor(topic: string) {
    this.topic = topic
  }

  /** Events in this lane that are not in flight. */
  get waiting(): number {
    return this.#waiting.length - this.#head + this.#alone.length + this.#failed.length
  }

  push(stored: StoredEvent): void {
    this.#waiting.push({ stored, lane: this, charge: 0, alone: false })
  }

  /**
   * The event that may be sent next, without taking it.
   * @param now monotonic ms
   */
  peek(now: number): Delivery | undefined {
    if (this.state !== 'open' || now < this.#retryAt || this.#aloneInFlight) return undefined
    if (this.#failed.length > 0) this.#returnFailed()
    const [suspect] = this.#alone
    if (suspect !== undefined) return this.inFlight === 0 ? suspect : undefined
    return this.#waiting[this.#head]
  }

  /** Takes what {@link peek} showed: it is in flight now. */
  shift(delivery: Delivery): void {
    if (delivery.alone) {
      this.#alone.shift()
      this.#aloneInFlight = true
    } else {
      this.#head++
      // Cut off what was taken now and then, so that a lane that is never empty does not grow.
      if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#head)
        this.#head = 0
      }
    }
    this.inFlight++
    this.inFlightBytes += delivery.charge
  }

  /** The event is in flight no more, whatever became of it. */
  settle(delivery: Delivery): void {
    this.inFlight--
    this.inFlightBytes -= delivery.charge
    if (delivery.alone) this.#aloneInFlight = false
  }

  succeeded(): void {
    this.#failures = 0
    this.#retryAt = 0
    this.problem = undefined
  }

  /**
   * The event goes back to wait.
   * @param now monotonic ms
   * @param random in [0, 1), for the jitter
   */
  retry(delivery: Delivery, now: number, random: number): void {
    this.#failed.push(delivery)
    this.backOff(now, random)
  }

  /** Nothing of this topic is tried for a while. Failures that come while it backs off are one failure. */
  backOff(now: number, random: number): void {
    if (now < this.#retryAt) return
    this.#failures++
    this.#retryAt = now + backoffMs(this.#failures, BACKOFF, random)
  }

  /** Sends the event again in a batch of its own. */
  isolate(delivery: Delivery): void {
    delivery.alone = true
    this.#alone.push(delivery)
  }

  /** Puts events that were in flight with a producer that is no more back to the front, at once. */
  giveBack(deliveries: readonly Delivery[]): void {
    this.#failed.push(...deliveries)
  }

  /** Monotonic ms at which the lane may be tried again; 0: it may now. */
  get retryAt(): number {
    return this.#retryAt
  }

  /** Failed events are older than those that wait: back to the front, in the order of acceptance. */
  #returnFailed(): void {
    const failed = this.#failed.sort((a, b) => a.stored.sequence - b.stored.sequence)
    this.#failed = []
    const suspects = failed.filter(({ alone }) => alone)
    const others = failed.filter(({ alone }) => !alone)
    this.#alone.unshift(...suspects)
    this.#waiting = [...others, ...this.#waiting.slice(this.#head)]
    this.#head = 0
  }
}
