import type { KafkaError } from '../kafka/errors.ts'
import type { RecordProducer } from '../kafka/producer.ts'
import type { EnsureTopic, TopicExists } from '../kafka/topics.ts'
import type { KafkaRecord } from '../records/record.ts'
import type { EventStore, StoredEvent } from '../store/store.ts'
import { backoffMs, type BackoffBounds } from './backoff.ts'
import { classify, type PermanentReason } from './classify.ts'
import { Lane, type Delivery as InFlight } from './lane.ts'
import { Pacer } from './pacer.ts'
import { Window } from './window.ts'

export type { Delivery as InFlight } from './lane.ts'

/** What delivery tells of. */
export interface DeliveryObserver {
  /** Kafka has the event: `seconds` after it was received. */
  delivered(stored: StoredEvent, seconds: number): void
  /** The event can never be delivered and is given up. */
  dropped(stored: StoredEvent, reason: PermanentReason): void
  /** No record could be made of the event, which is a fault of ours; `dropped` follows. */
  unbuildable(stored: StoredEvent, error: unknown): void
  /** An attempt failed; the event is tried again unless `dropped` follows. */
  attemptFailed(topic: string, error: KafkaError): void
  /** A topic could not be created; its events wait. */
  topicFailed(topic: string, error: KafkaError): void
  /** The producer is replaced; what was in flight is sent again. */
  rebuilding(error: KafkaError, inFlight: number): void
}

/** Callbacks that delivery hands to the producer it has made. */
export interface ProducerCallbacks {
  readonly onReport: (token: InFlight, error: KafkaError | undefined) => void
  readonly onFatal: (error: KafkaError) => void
}

/** What delivery needs. */
export interface DeliveryDependencies {
  readonly store: EventStore
  readonly observer: DeliveryObserver
  readonly buildRecord: (stored: StoredEvent) => KafkaRecord
  readonly createProducer: (callbacks: ProducerCallbacks) => Promise<RecordProducer<InFlight>>
  /** undefined: topics are not created, records just go. */
  readonly ensureTopic: EnsureTopic | undefined
  readonly inFlightMaxBytes: number
  readonly inFlightMaxRecords: number
  /** Monotonic ms. */
  readonly now?: () => number
  readonly random?: () => number
}

const REBUILD_BACKOFF: BackoffBounds = { first: 500, max: 30_000 }
const UNANSWERED_BACKOFF: BackoffBounds = { first: 200, max: 1000 }

/**
 * Takes events from the store, sends them, and releases each when Kafka has it. Works in bursts, from a timer: handing
 * records to librdkafka one by one from the request handler wakes its thread for each.
 */
export class Delivery {
  readonly #d: DeliveryDependencies
  readonly #now: () => number
  readonly #random: () => number
  readonly #window: Window
  readonly #pacer: Pacer
  readonly #lanes = new Map<string, Lane>()
  #producer: RecordProducer<InFlight> | undefined
  /** Producers replaced since the last delivery. */
  #rebuilds = 0
  #replacing: NodeJS.Timeout | undefined
  #waiting = 0
  #stopped = false

  constructor(dependencies: DeliveryDependencies) {
    this.#d = dependencies
    this.#now = dependencies.now ?? (() => performance.now())
    this.#random = dependencies.random ?? Math.random
    this.#window = new Window(dependencies.inFlightMaxBytes, dependencies.inFlightMaxRecords)
    this.#pacer = new Pacer(() => this.#burst(), this.#now)
  }

  /** @throws {Error} when the producer's properties cannot work, whatever Kafka says */
  async start(): Promise<void> {
    this.#producer = await this.#createProducer()
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
    clearTimeout(this.#replacing)
    const producer = this.#producer
    this.#producer = undefined
    producer?.abandon()
    await producer?.close()
  }

  /** One turn: reports in, records out. Tells the pacer whether there is more to do. */
  #burst(): boolean {
    this.#producer?.poll()
    for (let stored = this.#d.store.take(); stored !== undefined; stored = this.#d.store.take()) {
      this.#laneOf(stored.topic).push(stored)
      this.#waiting++
    }
    if (this.#waiting > 0) {
      const now = this.#now()
      for (const lane of this.#lanes.values()) this.#sendFrom(lane, now)
    }
    return this.#waiting > 0 || this.#window.records > 0
  }

  #laneOf(topic: string): Lane {
    let lane = this.#lanes.get(topic)
    if (lane === undefined) {
      lane = new Lane(topic)
      this.#lanes.set(topic, lane)
    }
    return lane
  }

  #sendFrom(lane: Lane, now: number): void {
    if (lane.state === 'new' && lane.waiting > 0 && now >= lane.retryAt) this.#prepare(lane)
    lane.beginTurn()
    while (this.#producer !== undefined) {
      const next = lane.peek(now)
      if (next === undefined) return
      next.charge = this.#window.charge(next.stored.bytes)
      if (!this.#window.admits(lane, next.charge)) return
      lane.shift(next)
      this.#window.add(next.charge)
      this.#waiting--
      const record = this.#recordOf(next)
      if (record === undefined) continue
      const error = this.#producer.produce(record, next)
      if (error !== undefined) this.#failed(next, error, true)
    }
  }

  /** A fault in making one record must not end the process, nor stop the events behind it. */
  #recordOf(delivery: InFlight): KafkaRecord | undefined {
    try {
      return this.#d.buildRecord(delivery.stored)
    } catch (error) {
      this.#settle(delivery)
      this.#d.observer.unbuildable(delivery.stored, error)
      this.#drop(delivery.stored, 'internal_error')
      return undefined
    }
  }

  #prepare(lane: Lane): void {
    if (this.#d.ensureTopic === undefined) {
      lane.state = 'open'
      return
    }
    lane.state = 'preparing'
    const exists: TopicExists = topic => this.#producer?.topicExists(topic) ?? Promise.resolve(NO_PRODUCER)
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
    this.#rebuilds = 0
    delivery.lane.succeeded()
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
      if (guilty) return this.#drop(delivery.stored, verdict.reason)
      this.#waiting++
      lane.problem = error.message
      return
    }
    this.#settle(delivery)
    this.#waiting++
    lane.problem = error.message
    if (TOPIC_GONE.has(error.code)) lane.state = 'new'
    lane.retry(delivery, this.#now(), this.#random())
    if (verdict.action === 'rebuild') this.#rebuild(error)
  }

  #drop(stored: StoredEvent, reason: PermanentReason): void {
    this.#d.store.release(stored)
    this.#d.observer.dropped(stored, reason)
  }

  async #createProducer(): Promise<RecordProducer<InFlight>> {
    // Reports of a producer that was replaced come too late: what it had is in other hands.
    let current = true
    const producer = await this.#d.createProducer({
      onReport: (token, error) => {
        if (current) this.#onReport(token, error)
      },
      onFatal: error => {
        if (current) this.#rebuild(error)
      }
    })
    this.#retire = () => {
      current = false
      const inFlight = producer.abandon()
      void producer.close()
      return inFlight
    }
    return producer
  }

  #retire: () => InFlight[] = () => []

  /** Replaces the producer. Its connections are made anew, and everything in flight is sent again. */
  #rebuild(error: KafkaError): void {
    if (this.#producer === undefined) return
    this.#producer = undefined
    const abandoned = this.#retire()
    this.#d.observer.rebuilding(error, abandoned.length)
    for (const delivery of abandoned) {
      this.#settle(delivery)
      this.#waiting++
      delivery.lane.giveBack([delivery])
    }
    this.#replaceLater()
  }

  #replaceLater(): void {
    this.#rebuilds++
    const delay = backoffMs(this.#rebuilds, REBUILD_BACKOFF, this.#random())
    this.#replacing = setTimeout(() => void this.#replace(), delay)
  }

  async #replace(): Promise<void> {
    if (this.#stopped) return
    try {
      const producer = await this.#createProducer()
      if (this.#stopped) return void (await producer.close())
      this.#producer = producer
      this.#pacer.wake()
    } catch (error) {
      // The properties worked before, so it is a file (a certificate) that is gone for the moment.
      this.#d.observer.rebuilding({ code: -1, name: 'unknown', message: (error as Error).message }, 0)
      this.#replaceLater()
    }
  }
}

/** While the producer is replaced there is nobody to ask (_STATE). */
const NO_PRODUCER: KafkaError = { code: -172, name: 'state', message: 'the producer is being replaced' }

/** _UNKNOWN_TOPIC, _UNKNOWN_PARTITION, UNKNOWN_TOPIC_OR_PART: the topic may have been deleted, and is made anew. */
const TOPIC_GONE: ReadonlySet<number> = new Set([-188, -190, 3])
