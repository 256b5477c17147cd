import type { StoredEvent, TopicQueue } from '../store/store.ts'
import { backoffMs, type BackoffBounds } from './backoff.ts'
import { Caution } from './caution.ts'

/** An event that was taken from its queue. */
export interface Delivery {
  readonly stored: StoredEvent
  readonly lane: Lane
  /** What it counts against the window while in flight, in bytes. */
  charge: number
  /** Whether an attempt has failed for a reason that the lane backs off for. */
  hasFailed: boolean
}

/**
 * - `new`: nobody has looked whether the topic exists
 * - `preparing`: its creation is under way
 * - `open`: records may go
 */
export type LaneState = 'new' | 'preparing' | 'open'

/** Waits between attempts at the same topic, in ms. */
const BACKOFF: BackoffBounds = { first: 200, max: 30_000 }
/** The longest wait for a topic that works in part, in ms: one of its partitions is in trouble, and the others are not. */
const PARTIAL_MAX_MS = 1000

/**
 * Sends the events of one topic's queue, each of which it owns from the moment it is taken: in flight, or failed and to
 * be sent again. A topic that is missing, forbidden or without a leader holds up its own lane and no other.
 */
export class Lane {
  state: LaneState = 'new'
  readonly #queue: TopicQueue
  /** Events to send again, newest first: they are older than all that wait in the queue. */
  #retries: Delivery[] = []
  /** Events that failed since those were sorted. */
  #failed: Delivery[] = []
  /** Events that have failed and were neither delivered nor given up since. */
  #unresolved = 0
  #retryAt = 0
  /** Failures in a row. */
  #failures = 0
  /** Whether Kafka took an event since the last failure. */
  #works = false
  inFlight = 0
  /** Events given to the dead letters and not answered for. */
  deadLetters = 0
  inFlightBytes = 0
  readonly #caution = new Caution()
  /** The last failure, for `/status`; undefined once nothing suffers from it any more. */
  problem: string | undefined

  constructor(queue: TopicQueue) {
    this.#queue = queue
  }

  get topic(): string {
    return this.#queue.topic
  }

  /** Events of this topic that are not in flight. */
  get waiting(): number {
    return this.#queue.waiting + this.#retries.length + this.#failed.length
  }

  /** A turn of sending begins: see {@link Caution}. */
  beginTurn(): void {
    if (this.#failed.length > 0) this.#sortFailed()
    this.#caution.beginTurn(this.inFlight)
  }

  /**
   * The event that may be sent next, without taking it.
   * @param now monotonic ms
   */
  peek(now: number): StoredEvent | undefined {
    if (this.state !== 'open' || now < this.#retryAt) return undefined
    const next = this.#retries.at(-1)?.stored ?? this.#queue.peek()
    return next !== undefined && this.#caution.admits(next.bytes) ? next : undefined
  }

  /** Takes what {@link peek} showed: it is in flight now. */
  take(stored: StoredEvent, charge: number): Delivery {
    let delivery = this.#retries.pop()
    if (delivery === undefined) {
      this.#queue.take()
      delivery = { stored, lane: this, charge, hasFailed: false }
    } else delivery.charge = charge
    this.inFlight++
    this.inFlightBytes += charge
    this.#caution.sent(stored.bytes)
    return delivery
  }

  /** The event is in flight no more, whatever became of it. @param now monotonic ms */
  settle(delivery: Delivery, now: number): void {
    this.inFlight--
    this.inFlightBytes -= delivery.charge
    if (this.inFlight === 0) this.#caution.burstEnded(now)
  }

  /** Kafka has an event of this topic. Call before {@link settle}. @param now monotonic ms */
  succeeded(delivery: Delivery, now: number): void {
    this.#caution.taken()
    this.#works = true
    this.resolved(delivery)
    if (this.#unresolved > 0) {
      this.#retryAt = Math.min(this.#retryAt, now + PARTIAL_MAX_MS)
      return
    }
    this.#failures = 0
    this.#retryAt = 0
    this.problem = undefined
  }

  /** The event is delivered or given up. */
  resolved(delivery: Delivery): void {
    if (!delivery.hasFailed) return
    delivery.hasFailed = false
    this.#unresolved--
  }

  /**
   * The event goes back to wait.
   * @param now monotonic ms
   * @param random in [0, 1), for the jitter
   */
  retry(delivery: Delivery, now: number, random: number): void {
    if (!delivery.hasFailed) this.#unresolved++
    delivery.hasFailed = true
    this.#failed.push(delivery)
    this.backOff(now, random)
  }

  /** Nothing of this topic is tried for a while. Failures that come while it backs off are one failure. */
  backOff(now: number, random: number, bounds = BACKOFF): void {
    if (now < this.#retryAt) return
    this.#failures++
    const max = this.#works ? Math.min(bounds.max, PARTIAL_MAX_MS) : bounds.max
    this.#works = false
    this.#retryAt = now + backoffMs(this.#failures, { first: bounds.first, max }, random)
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

  /** Takes an event back that was in flight with a producer that is no more: it is sent again at once. */
  giveBack(delivery: Delivery): void {
    this.#failed.push(delivery)
  }

  /** Monotonic ms at which the lane may be tried again; 0: it may now. */
  get retryAt(): number {
    return this.#retryAt
  }

  /** In the order of acceptance, the next one last. A new array: see fifo.ts. */
  #sortFailed(): void {
    this.#retries = [...this.#retries, ...this.#failed].sort((a, b) => b.stored.sequence - a.stored.sequence)
    this.#failed = []
  }
}
