import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Delivery, type DeliveryDependencies, type Refusal } from '../../sidecar/delivery/delivery.ts'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import type { StoredEvent } from '../../sidecar/store/store.ts'
import { FakeProducer } from './fake-producer.ts'

/** An event that was given up, and how to say whether it was kept. */
export interface DeadLetter {
  readonly stored: StoredEvent
  readonly refusal: Refusal
  readonly done: (kept: boolean) => void
}

export interface HarnessOptions extends Partial<DeliveryDependencies> {
  /** What {@link DeliveryHarness.accept} appends to; `store` may stand in front of it. */
  readonly memory?: MemoryStore
}

/** Delivery between a store and a fake producer, with a clock that stands still until a test moves it. */
export class DeliveryHarness {
  readonly store: MemoryStore
  readonly producers: FakeProducer[] = []
  readonly delivery: Delivery
  readonly delivered: string[] = []
  /** Given up and lost. */
  readonly dropped: [text: string, reason: string][] = []
  /** Given up and kept. */
  readonly deadLettered: [text: string, reason: string][] = []
  /** Given to the dead letters and not answered for, oldest first. */
  readonly deadLetters: DeadLetter[] = []
  /** What the dead letters say at once; undefined: nothing until {@link answerDeadLetter}. */
  keepsDeadLetters: boolean | undefined = true
  /** Events that the store gave up. */
  droppedByStore = 0
  readonly failedAttempts: [topic: string, code: number][] = []
  readonly failedTopics: [topic: string, code: number][] = []
  readonly rebuilds: number[] = []
  readonly rebuildErrors: KafkaError[] = []
  /** What Kafka says when it is asked about a topic. */
  kafkaAnswers: FakeProducer['answer'] = () => Promise.resolve(true)
  /** Set to have createProducer fail. */
  startError: Error | undefined
  /** Seconds that delivering took, as it was told. */
  readonly seconds: number[] = []
  accepted = 0
  readonly #test: TestContext

  constructor(test: TestContext, { memory = new MemoryStore(1024 ** 3), ...options }: HarnessOptions = {}) {
    this.#test = test
    this.store = memory
    memory.onDropped = (_reason, events) => void (this.droppedByStore += events)
    test.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    this.delivery = new Delivery({
      store: this.store,
      observer: {
        delivered: ({ event }, seconds) => {
          this.delivered.push(event.data.toString())
          this.seconds.push(seconds)
        },
        deadLettered: ({ event }, reason) => void this.deadLettered.push([event.data.toString(), reason]),
        dropped: ({ event }, reason) => void this.dropped.push([event.data.toString(), reason]),
        attemptFailed: (topic, error) => void this.failedAttempts.push([topic, error.code]),
        topicFailed: (topic, error) => void this.failedTopics.push([topic, error.code]),
        unbuildable: () => {},
        rebuilding: (error, inFlight) => {
          this.rebuilds.push(inFlight)
          this.rebuildErrors.push(error)
        }
      },
      buildRecord: ({ event, topic }) => ({ topic, key: null, value: event.data, headers: [] }),
      createProducer: callbacks => {
        if (this.startError !== undefined) return Promise.reject(this.startError)
        const producer = new FakeProducer(callbacks)
        producer.answer = topic => this.kafkaAnswers(topic)
        this.producers.push(producer)
        return Promise.resolve(producer)
      },
      ensureTopic: undefined,
      deadLetter: (stored, refusal, done) => {
        this.deadLetters.push({ stored, refusal, done })
        if (this.keepsDeadLetters !== undefined) this.answerDeadLetter(this.keepsDeadLetters)
      },
      inFlightMaxBytes: 1024 ** 3,
      inFlightMaxRecords: 1000,
      now: () => Date.now(),
      random: () => 0.5,
      ...options
    })
  }

  static async start(test: TestContext, options: HarnessOptions = {}): Promise<DeliveryHarness> {
    const harness = new DeliveryHarness(test, options)
    await harness.delivery.start()
    test.after(() => harness.delivery.stop())
    return harness
  }

  /** The producer in use; the last one that was made. */
  get producer(): FakeProducer {
    const producer = this.producers.at(-1)
    assert.ok(producer)
    return producer
  }

  /** Accepts events whose payloads are these texts. */
  accept(texts: readonly string[], topic = 'a-topic'): void {
    for (const text of texts) assert.ok(this.offer(text, topic), 'the store is full')
  }

  /** Accepts an event if there is room for it. */
  offer(text: string, topic: string): boolean {
    const event = { attributes: [], data: Buffer.from(text) }
    let stored = false
    this.store.append([{ event, topic, receivedAt: Date.now() }], outcome => (stored = outcome === 'stored'))
    if (stored) this.accepted++
    return stored
  }

  /** The dead letters answer for the event that they have had for longest, or another. */
  answerDeadLetter(kept: boolean, index = 0): DeadLetter {
    const [letter] = this.deadLetters.splice(index, 1)
    assert.ok(letter, 'there is no dead letter')
    letter.done(kept)
    return letter
  }

  /** Lets time pass in small steps, with what was promised in between. A long time is passed in longer steps. */
  async pass(ms: number, step = ms > 2000 ? 10 : 1): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.#test.mock.timers.tick(step)
      for (let i = 0; i < 4; i++) await Promise.resolve()
    }
  }

  /** Long enough for one burst. */
  burst(): Promise<void> {
    return this.pass(30)
  }

  /** Texts handed to the present producer, in order. */
  get sent(): string[] {
    return this.producer.sent.map(({ text }) => text)
  }

  /** received = delivered + pending + dead-lettered + dropped, and no event ended twice. */
  assertConserved(): void {
    const ended = [...this.delivered, ...[...this.dropped, ...this.deadLettered].map(([text]) => text)]
    assert.equal(new Set(ended).size, ended.length, 'each event ends once')
    assert.equal(this.accepted, ended.length + this.droppedByStore + this.store.pendingEvents)
  }
}

/** `prefix0`, `prefix1`, … */
export function texts(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}
