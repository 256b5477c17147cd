import type { StoredEvent } from '../store/store.ts'
import { backoffMs, type BackoffBounds } from './backoff.ts'
import { Caution } from './caution.ts'

/** An event on its way through a lane. */
export interface Delivery {
  readonly stored: StoredEvent
  readonly lane: Lane
  /** What it counts against the window while in flight, in bytes. */
  charge: number
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
  #waiting: (Delivery | undefined)[] = []
  #head = 0
  /** Events that failed and go back to the front of the queue when the backoff ends. */
  #failed: Delivery[] = []
  #retryAt = 0
  #failures = 0
  inFlight = 0
  inFlightBytes = 0
  readonly #caution = new Caution()
  /** The last failure, for `/status`; undefined once something was delivered. */
  problem: string | undefined

  constructor(topic: string) {
    this.topic = topic
  }

  /** Events in this lane that are not in flight. */
  get waiting(): number {
    return this.#waiting.length - this.#head + this.#failed.length
  }

  push(stored: StoredEvent): void {
    this.#waiting.push({ stored, lane: this, charge: 0 })
  }

  /** A turn of sending begins: see {@link Caution}. */
  beginTurn(): void {
    this.#caution.beginTurn(this.inFlight)
  }

  /**
   * The event that may be sent next, without taking it.
   * @param now monotonic ms
   */
  peek(now: number): Delivery | undefined {
    if (this.state !== 'open' || now < this.#retryAt) return undefined
    if (this.#failed.length > 0) this.#returnFailed()
    const next = this.#waiting[this.#head]
    return next !== undefined && this.#caution.admits(next.stored.bytes) ? next : undefined
  }

  /** Takes what {@link peek} showed: it is in flight now. */
  shift(delivery: Delivery): void {
    // Cleared, and the array renewed now and then: an old array that still points at what was delivered makes V8 keep
    // and promote it, and with it everything younger (measured: 2 KB an event).
    this.#waiting[this.#head++] = undefined
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    this.inFlight++
    this.inFlightBytes += delivery.charge
    this.#caution.sent(delivery.stored.bytes)
  }

  /** The event is in flight no more, whatever became of it. @param now monotonic ms */
  settle(delivery: Delivery, now: number): void {
    this.inFlight--
    this.inFlightBytes -= delivery.charge
    if (this.inFlight === 0) this.#caution.burstEnded(now)
  }

  /** Kafka has an event of this topic. Call before {@link settle}. */
  succeeded(): void {
    this.#caution.taken()
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
  backOff(now: number, random: number, bounds = BACKOFF): void {
    if (now < this.#retryAt) return
    this.#failures++
    this.#retryAt = now + backoffMs(this.#failures, bounds, random)
  }

  /** Whether a refusal is the verdict on this one record, and not on a batch. */
  get isAlone(): boolean {
    return this.#caution.isAlone
  }

  /** The record that was refused alone is given up. Call before {@link settle}. */
  blamed(): void {
    this.#caution.blamed()
  }

  /** The event came back in a refused batch: it is sent again in a smaller one. Call before {@link settle}. */
  refused(delivery: Delivery, forSize: boolean): void {
    this.#failed.push(delivery)
    this.#caution.refused(delivery.stored.bytes, forSize)
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
    this.#waiting = [...failed, ...this.#waiting.slice(this.#head)]
    this.#head = 0
  }
}
