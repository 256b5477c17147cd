import type { KafkaError } from '../kafka/errors.ts'
import type { RecordProducer } from '../kafka/producer.ts'
import type { EnsureTopic, TopicExists } from '../kafka/topics.ts'
import type { KafkaRecord } from '../records/record.ts'
import type { EventStore, StoredEvent, TopicQueue } from '../store/store.ts'
import type { BackoffBounds } from './backoff.ts'
import { classify, type PermanentReason } from './classify.ts'
import { Lane, type Delivery as InFlight } from './lane.ts'
import { Pacer } from './pacer.ts'
import { Producers, type ProducerCallbacks } from './producers.ts'
import { Window } from './window.ts'

export type { Delivery as InFlight } from './lane.ts'
export type { ProducerCallbacks } from './producers.ts'

/** Why an event was given up. */
export interface Refusal {
  readonly reason: PermanentReason
  /** Kafka's words; undefined when no record could be made of the event. */
  readonly error: KafkaError | undefined
}

/** What delivery tells of. */
export interface DeliveryObserver {
  /** Kafka has the event: `seconds` after it was received. */
  delivered(stored: StoredEvent, seconds: number): void
  /** The event can never be delivered and is kept as a dead letter. */
  deadLettered(stored: StoredEvent, reason: PermanentReason): void
  /** The event can never be delivered and is lost. */
  dropped(stored: StoredEvent, reason: PermanentReason): void
  /** No record could be made of the event, which is a fault of ours; `deadLettered` or `dropped` follows. */
  unbuildable(stored: StoredEvent, error: unknown): void
  /** An attempt failed; the event is tried again unless `deadLettered` or `dropped` follows. */
  attemptFailed(topic: string, error: KafkaError): void
  /** A topic could not be created; its events wait. */
  topicFailed(topic: string, error: KafkaError): void
  /** The producer is replaced; what was in flight is sent again. */
  rebuilding(error: KafkaError, inFlight: number): void
}

/** What delivery needs. */
export interface DeliveryDependencies {
  readonly store: EventStore
  readonly observer: DeliveryObserver
  readonly buildRecord: (stored: StoredEvent) => KafkaRecord
  readonly createProducer: (callbacks: ProducerCallbacks) => Promise<RecordProducer<InFlight>>
  /** undefined: topics are not created, records just go. */
  readonly ensureTopic: EnsureTopic | undefined
  /**
   * Keeps an event that can never be delivered. Must not throw.
   * @param done called once, at once or much later: whether the event is kept. It is pending until then
   */
  readonly deadLetter: (stored: StoredEvent, refusal: Refusal, done: (kept: boolean) => void) => void
  readonly inFlightMaxBytes: number
  readonly inFlightMaxRecords: number
  /** ms between two bursts while there is work; `kafka` durability, where a sender waits for Kafka, wants it short. */
  readonly burstMs?: number
  /** ms without a delivery report after which a producer is replaced, if Kafka answers. */
  readonly stallTimeoutMs?: number
  /** Monotonic ms. */
  readonly now?: () => number
  readonly random?: () => number
}

const BURST_MS = 3
const STALL_TIMEOUT_MS = 60_000
const UNANSWERED_BACKOFF: BackoffBounds = { first: 200, max: 1000 }

/**
 * Takes events from the store's queues, sends them, and releases each when Kafka has it. Works in bursts, from a timer:
 * handing records to librdkafka one by one from the request handler wakes its thread for each.
 */
export class Delivery {
  readonly #d: DeliveryDependencies
  readonly #now: () => number
  readonly #random: () => number
  readonly #window: Window
  readonly #pacer: Pacer
  readonly #producers: Producers
  readonly #lanes = new Map<string, Lane>()
  /** Bytes of events that were given to the dead letters and not answered for. */
  #deadLetterBytes = 0
  #stopped = false

  constructor(dependencies: DeliveryDependencies) {
    this.#d = dependencies
    this.#now = dependencies.now ?? (() => performance.now())
    this.#random = dependencies.random ?? Math.random
    this.#window = new Window(dependencies.inFlightMaxBytes, dependencies.inFlightMaxRecords)
    this.#pacer = new Pacer(() => this.#burst(), this.#now, dependencies.burstMs ?? BURST_MS)
    this.#producers = new Producers({
      create: dependencies.createProducer,
      onReport: (delivery, error) => this.#onReport(delivery, error),
      onGivenUp: (error, inFlight) => this.#onGivenUp(error, inFlight),
      onReplaced: () => this.#pacer.wake(),
      stallTimeoutMs: dependencies.stallTimeoutMs ?? STALL_TIMEOUT_MS,
      random: this.#random
    })
  }

  /** @throws {Error} when the producer's properties cannot work, whatever Kafka says */
  async start(): Promise<void> {
    await this.#producers.start()
    this.#d.store.onAvailable = () => this.#pacer.wake()
    this.#pacer.start()
  }

  get inFlightRecords(): number {
    return this.#window.records
  }

  /** Topics with their lane's state, for `/status`. */
  lanes(): Iterable<Readonly<Lane>> {
    return this.#lanes.values()
  }

  /** Ends delivering. What is pending stays in the store. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#d.store.onAvailable = () => {}
    this.#pacer.stop()
    await this.#producers.stop()
  }

  /** One turn: reports in, records out. Tells the pacer whether there is more to do. */
  #burst(): boolean {
    this.#producers.current?.poll()
    const now = this.#now()
    let waiting = 0
    let topicInFlight: string | undefined
    for (const queue of this.#d.store.queues()) {
      const lane = this.#laneOf(queue)
      if (lane.waiting > 0) this.#sendFrom(lane, now)
      waiting += lane.waiting
      if (lane.inFlight > 0) topicInFlight ??= lane.topic
    }
    this.#producers.watch(topicInFlight, now)
    const more = waiting > 0 || this.#window.records > 0
    if (!more) this.#window.rest()
    return more
  }

  #laneOf(queue: TopicQueue): Lane {
    let lane = this.#lanes.get(queue.topic)
    if (lane === undefined) {
      lane = new Lane(queue)
      this.#lanes.set(queue.topic, lane)
    }
    return lane
  }

  #sendFrom(lane: Lane, now: number): void {
    if (lane.state === 'new' && now >= lane.retryAt) this.#prepare(lane)
    lane.beginTurn()
    while (this.#producers.current !== undefined) {
      // Nothing else bounds what a full disk keeps the dead letters from taking: the topic that makes them waits then.
      if (lane.deadLetters > 0 && this.#deadLetterBytes > this.#d.inFlightMaxBytes / 4) return
      const stored = lane.peek(now)
      if (stored === undefined) return
      const charge = this.#window.charge(stored.bytes)
      if (!this.#window.admits(lane, charge)) return
      const delivery = lane.take(stored, charge)
      this.#window.add(charge)
      const record = this.#recordOf(delivery)
      if (record === undefined) continue
      const error = this.#producers.current.produce(record, delivery)
      if (error !== undefined) this.#failed(delivery, error, true)
    }
  }

  /** A fault in making one record must not end the process, nor stop the events behind it. */
  #recordOf(delivery: InFlight): KafkaRecord | undefined {
    try {
      return this.#d.buildRecord(delivery.stored)
    } catch (error) {
      this.#settle(delivery)
      this.#d.observer.unbuildable(delivery.stored, error)
      this.#giveUp(delivery, { reason: 'internal_error', error: undefined })
      return undefined
    }
  }

  #prepare(lane: Lane): void {
    if (this.#d.ensureTopic === undefined) {
      lane.state = 'open'
      return
    }
    lane.state = 'preparing'
    const exists: TopicExists = topic => this.#producers.current?.topicExists(topic) ?? Promise.resolve(NO_PRODUCER)
    void this.#d.ensureTopic(lane.topic, exists).then(outcome => {
      if (this.#stopped) return
      if (outcome === 'ready') {
        lane.state = 'open'
      } else if ('unanswered' in outcome) {
        // Kafka is away. What librdkafka says of that is logged already; it is back when it answers, so ask again soon.
        lane.state = 'new'
        lane.problem = `Kafka does not answer: ${outcome.unanswered.message}`
        lane.backOff(this.#now(), this.#random(), UNANSWERED_BACKOFF)
      } else {
        lane.state = 'new'
        lane.problem = `cannot be created: ${outcome.refused.message}`
        lane.backOff(this.#now(), this.#random())
        this.#d.observer.topicFailed(lane.topic, outcome.refused)
      }
      this.#pacer.wake()
    })
  }

  #onReport(delivery: InFlight, error: KafkaError | undefined): void {
    this.#pacer.progress()
    if (error !== undefined) return this.#failed(delivery, error, false)
    this.#producers.delivered()
    delivery.lane.succeeded(delivery, this.#now())
    this.#window.acknowledged()
    this.#settle(delivery)
    this.#d.store.release(delivery.stored)
    this.#d.observer.delivered(delivery.stored, (Date.now() - delivery.stored.receivedAt) / 1000)
  }

  #settle(delivery: InFlight): void {
    delivery.lane.settle(delivery, this.#now())
    this.#window.remove(delivery.charge)
  }

  /** @param atOnce librdkafka itself refused the record, so no batch was judged */
  #failed(delivery: InFlight, error: KafkaError, atOnce: boolean): void {
    const { lane } = delivery
    const verdict = classify(error.code)
    this.#d.observer.attemptFailed(lane.topic, error)
    if (verdict.action === 'alone') {
      const guilty = atOnce || lane.isAlone
      if (guilty) lane.blamed()
      else lane.refused(delivery, verdict.reason === 'record_too_large')
      this.#settle(delivery)
      if (guilty) return this.#giveUp(delivery, { reason: verdict.reason, error })
      lane.problem = error.message
      return
    }
    this.#settle(delivery)
    lane.problem = error.message
    if (TOPIC_GONE.has(error.code)) lane.state = 'new'
    lane.retry(delivery, this.#now(), this.#random())
    if (verdict.action === 'rebuild') this.#producers.rebuild(error)
  }

  /** The event can never be delivered. It stays pending until the dead letters say whether they have it. */
  #giveUp(delivery: InFlight, refusal: Refusal): void {
    const { lane, stored } = delivery
    let isOpen = true
    lane.resolved(delivery)
    lane.deadLetters++
    this.#deadLetterBytes += stored.bytes
    this.#d.deadLetter(stored, refusal, kept => {
      if (!isOpen || this.#stopped) return
      isOpen = false
      lane.deadLetters--
      this.#deadLetterBytes -= stored.bytes
      this.#d.store.release(stored)
      if (kept) this.#d.observer.deadLettered(stored, refusal.reason)
      else this.#d.observer.dropped(stored, refusal.reason)
      this.#pacer.wake()
    })
  }

  #onGivenUp(error: KafkaError, inFlight: readonly InFlight[]): void {
    this.#d.observer.rebuilding(error, inFlight.length)
    for (const delivery of inFlight) {
      this.#settle(delivery)
      delivery.lane.giveBack(delivery)
    }
  }
}

/** While the producer is replaced there is nobody to ask (_STATE). */
const NO_PRODUCER: KafkaError = { code: -172, name: 'state', message: 'the producer is being replaced' }

/** _UNKNOWN_TOPIC, _UNKNOWN_PARTITION, UNKNOWN_TOPIC_OR_PART: the topic may have been deleted, and is made anew. */
const TOPIC_GONE: ReadonlySet<number> = new Set([-188, -190, 3])
