import { backoffMs, type BackoffBounds } from '../delivery/backoff.ts'
import { classify } from '../delivery/classify.ts'
import type { Refusal } from '../delivery/delivery.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { RecordProducer } from '../kafka/producer.ts'
import type { KafkaProperties } from '../kafka/properties.ts'
import type { EnsureTopic, TopicExists } from '../kafka/topics.ts'
import type { KafkaRecord, KeySource } from '../records/record.ts'
import type { StoredEvent } from '../store/store.ts'
import { noteOf } from './note.ts'
import type { DeadLetterObserver } from './observer.ts'

/** Callbacks handed to the producer that is made. */
export interface NoteCallbacks {
  readonly onReport: (note: KafkaRecord, error: KafkaError | undefined) => void
  readonly onFatal: (error: KafkaError) => void
}

/** What the dead letter topic needs. */
export interface DeadLetterTopicOptions {
  readonly topic: string
  readonly key: KeySource
  readonly createProducer: (callbacks: NoteCallbacks) => Promise<RecordProducer<KafkaRecord>>
  /** undefined: topics are not created. */
  readonly ensureTopic: EnsureTopic | undefined
  readonly observer: DeadLetterObserver
  /** Monotonic ms. */
  readonly now?: () => number
  readonly random?: () => number
  /** ms without a note after which the producer is closed */
  readonly idleMs?: number
}

/** Notes that may wait; more are skipped, since the files have the events. */
const MAX_NOTES = 100
const IDLE_MS = 30_000
const TURN_MS = 20
const CLOSE_MS = 1000
const BACKOFF: BackoffBounds = { first: 200, max: 30_000 }

/** While a note is sent in a batch of its own, a refusal is the verdict on it. No statistics: they would hide delivery's. */
export function noteProducerProperties(properties: KafkaProperties): KafkaProperties {
  const clientId = `${String(properties.global['client.id'])}-dead-letters`
  return {
    ...properties,
    global: { ...properties.global, 'client.id': clientId, 'batch.num.messages': 1, 'statistics.interval.ms': 0 }
  }
}

/**
 * Sends notes about dead letters to a topic, with a producer of its own that exists only while there is something to
 * send. Its records are no events and are not counted as such. A note is tried again until Kafka has it or refuses it
 * for good; there is no note about a note.
 */
export class DeadLetterTopic {
  readonly #o: DeadLetterTopicOptions
  readonly #now: () => number
  readonly #random: () => number
  #waiting: KafkaRecord[] = []
  #inFlight = 0
  #producer: RecordProducer<KafkaRecord> | undefined
  /** Something is being made or asked that the notes have to wait for. */
  #isPreparing = false
  #isTopicReady = false
  #retryAt = 0
  #failures = 0
  #usedAt = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: DeadLetterTopicOptions) {
    this.#o = options
    this.#now = options.now ?? (() => performance.now())
    this.#random = options.random ?? Math.random
  }

  /** Sends a note about an event, now or later. */
  send(stored: StoredEvent, refusal: Refusal): void {
    if (this.#isClosed || this.#waiting.length + this.#inFlight >= MAX_NOTES) return this.#o.observer.notesSkipped(1)
    this.#waiting.push(noteOf(stored, refusal, this.#o.topic, this.#o.key))
    this.#timer ??= setTimeout(() => this.#turn(), 0).unref()
  }

  /** Ends, after a moment for notes that are under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const deadline = performance.now() + CLOSE_MS
    while (this.#producer !== undefined && this.#inFlight > 0 && performance.now() < deadline) {
      this.#producer.poll()
      await new Promise(resolve => setTimeout(resolve, TURN_MS))
    }
    const skipped = this.#waiting.length + this.#inFlight
    if (skipped > 0) this.#o.observer.notesSkipped(skipped)
    this.#waiting = []
    await this.#retire()
  }

  #turn(): void {
    this.#timer = undefined
    if (this.#isClosed) return
    const now = this.#now()
    this.#producer?.poll()
    if (this.#waiting.length > 0 || this.#inFlight > 0) this.#usedAt = now
    else if (now - this.#usedAt >= (this.#o.idleMs ?? IDLE_MS)) return void this.#retire()
    if (this.#waiting.length > 0 && !this.#isPreparing && now >= this.#retryAt) this.#sendWaiting()
    this.#timer ??= setTimeout(() => this.#turn(), TURN_MS).unref()
  }

  #sendWaiting(): void {
    const producer = this.#producer
    if (producer === undefined) return this.#prepare(this.#createProducer())
    if (!this.#isTopicReady) return this.#prepare(this.#ensureTopic(producer))
    for (const note of this.#waiting.splice(0)) {
      if (this.#producer !== producer) {
        this.#waiting.push(note)
        continue
      }
      this.#inFlight++
      const error = producer.produce(note, note)
      if (error !== undefined) this.#onReport(note, error)
    }
  }

  #prepare(step: Promise<void>): void {
    this.#isPreparing = true
    void step.finally(() => (this.#isPreparing = false))
  }

  async #createProducer(): Promise<void> {
    // Reports of a producer that was replaced are of notes that wait again.
    let isCurrent = true
    try {
      const producer = await this.#o.createProducer({
        onReport: (note, error) => {
          if (isCurrent) this.#onReport(note, error)
        },
        onFatal: error => {
          if (isCurrent) this.#replace(error)
        }
      })
      if (this.#isClosed) return await producer.close()
      this.#producer = producer
      this.#stopListening = () => (isCurrent = false)
    } catch (error) {
      this.#backOff({ code: -1, name: 'unknown', message: (error as Error).message })
    }
  }

  #stopListening: () => void = () => {}

  async #ensureTopic(producer: RecordProducer<KafkaRecord>): Promise<void> {
    const exists: TopicExists = topic => producer.topicExists(topic)
    const outcome = (await this.#o.ensureTopic?.(this.#o.topic, exists)) ?? 'ready'
    if (outcome === 'ready') this.#isTopicReady = true
    else this.#backOff('refused' in outcome ? outcome.refused : outcome.unanswered)
  }

  #onReport(note: KafkaRecord, error: KafkaError | undefined): void {
    this.#inFlight--
    if (error === undefined) {
      this.#failures = 0
      this.#o.observer.noted()
      return
    }
    const { action } = classify(error.code)
    if (action === 'alone') return this.#o.observer.noteRefused(error)
    this.#waiting.push(note)
    if (action === 'rebuild') return this.#replace(error)
    // Somebody may have deleted it.
    this.#isTopicReady = false
    this.#backOff(error)
  }

  #backOff(error: KafkaError): void {
    this.#o.observer.noteDelayed(error)
    if (this.#now() < this.#retryAt) return
    this.#failures++
    this.#retryAt = this.#now() + backoffMs(this.#failures, BACKOFF, this.#random())
  }

  #replace(error: KafkaError): void {
    if (this.#producer === undefined) return
    void this.#retire()
    this.#backOff(error)
  }

  /** Ends the producer. Notes that it has wait for the next one. */
  async #retire(): Promise<void> {
    const producer = this.#producer
    this.#stopListening()
    this.#producer = undefined
    this.#isTopicReady = false
    this.#inFlight = 0
    this.#waiting.unshift(...(producer?.abandon() ?? []))
    await producer?.close()
  }
}
