import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Delivery, type DeliveryDependencies } from '../../sidecar/delivery/delivery.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import { FakeProducer } from './fake-producer.ts'

/** Delivery between a store and a fake producer, with a clock that stands still until a test moves it. */
export class DeliveryHarness {
  readonly store = new MemoryStore(1024 ** 3)
  readonly producers: FakeProducer[] = []
  readonly delivery: Delivery
  readonly delivered: string[] = []
  readonly dropped: [text: string, reason: string][] = []
  readonly failedAttempts: [topic: string, code: number][] = []
  readonly failedTopics: [topic: string, code: number][] = []
  readonly rebuilds: number[] = []
  /** Set to have createProducer fail. */
  startError: Error | undefined
  /** Seconds that delivering took, as it was told. */
  readonly seconds: number[] = []
  accepted = 0
  readonly #test: TestContext

  constructor(test: TestContext, options: Partial<DeliveryDependencies> = {}) {
    this.#test = test
    test.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    this.delivery = new Delivery({
      store: this.store,
      observer: {
        delivered: ({ event }, seconds) => {
          this.delivered.push(event.data.toString())
          this.seconds.push(seconds)
        },
        dropped: ({ event }, reason) => void this.dropped.push([event.data.toString(), reason]),
        attemptFailed: (topic, error) => void this.failedAttempts.push([topic, error.code]),
        topicFailed: (topic, error) => void this.failedTopics.push([topic, error.code]),
        unbuildable: () => {},
        rebuilding: (_error, inFlight) => void this.rebuilds.push(inFlight)
      },
      buildRecord: ({ event, topic }) => ({ topic, key: null, value: event.data, headers: [] }),
      createProducer: callbacks => {
        if (this.startError !== undefined) return Promise.reject(this.startError)
        const producer = new FakeProducer(callbacks)
        this.producers.push(producer)
        return Promise.resolve(producer)
      },
      ensureTopic: undefined,
      inFlightMaxBytes: 1024 ** 3,
      inFlightMaxRecords: 1000,
      now: () => Date.now(),
      random: () => 0.5,
      ...options
    })
  }

  static async start(test: TestContext, options: Partial<DeliveryDependencies> = {}): Promise<DeliveryHarness> {
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
    for (const text of texts) {
      const event = { attributes: [], data: Buffer.from(text) }
      this.store.append([{ event, topic, receivedAt: Date.now() }], outcome => assert.equal(outcome, 'stored'))
      this.accepted++
    }
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

  /** received = delivered + pending + dropped, and nothing was delivered twice or both delivered and dropped. */
  assertConserved(): void {
    const ended = [...this.delivered, ...this.dropped.map(([text]) => text)]
    assert.equal(new Set(ended).size, ended.length, 'each event ends once')
    assert.equal(this.accepted, ended.length + this.store.pendingEvents)
  }
}

/** `prefix0`, `prefix1`, … */
export function texts(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}
