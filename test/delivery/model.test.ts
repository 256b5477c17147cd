import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kafkaError, type FakeProducer } from './fake-producer.ts'
import { DeliveryHarness } from './harness.ts'

/** One thing that happens to a delivery. `pick` chooses among the records that are in flight. */
type Step =
  | { readonly do: 'accept'; readonly topic: number; readonly count: number; readonly bytes: number }
  | { readonly do: 'report'; readonly pick: number; readonly count: number }
  | { readonly do: 'fail'; readonly pick: number; readonly count: number; readonly code: number }
  | { readonly do: 'late'; readonly pick: number }
  | { readonly do: 'fatal' }
  | { readonly do: 'refuse'; readonly code: number | undefined }
  | { readonly do: 'topics'; readonly work: boolean }
  | { readonly do: 'pass'; readonly ms: number }

// Of every kind one: retried, topic gone, alone, rebuild.
const CODES = [7, 29, -185, 3, 10, 87, 45]
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
const count = fc.integer({ min: 1, max: 12 })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('accept' as const), topic: upTo(3), count, bytes: upTo(3000) })
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('report' as const), pick: upTo(40), count }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('fail' as const), pick: upTo(40), count, code: fc.constantFrom(...CODES) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('late' as const), pick: upTo(100) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fatal' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('refuse' as const), code: fc.constantFrom(-184, 10, -150, undefined) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('topics' as const), work: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 4, 30, 300) }) }
)

/** What a step needs to know beside the harness. */
class World {
  refusal: number | undefined
  topicsWork = true
  accepted = 0
  readonly harness: DeliveryHarness

  constructor(harness: DeliveryHarness) {
    this.harness = harness
  }

  /** Producers come and go; each refuses what the world refuses. */
  get producer(): FakeProducer {
    const { producer } = this.harness
    producer.refuse = text =>
      this.refusal !== undefined && Number(text.split(' ')[0]) % 3 === 0 ? kafkaError(this.refusal) : undefined
    return producer
  }

  async take(one: Step): Promise<void> {
    const { harness, producer } = this
    switch (one.do) {
      case 'accept': {
        const texts = Array.from({ length: one.count }, () => `${this.accepted++} `.padEnd(one.bytes))
        return harness.accept(texts, `topic-${one.topic}`)
      }
      case 'report':
      case 'fail': {
        const start = one.pick % Math.max(1, producer.unreported.length)
        const picked = new Set(producer.unreported.slice(start, start + one.count))
        producer.reportWhere(sent => picked.has(sent), one.do === 'fail' ? kafkaError(one.code) : undefined)
        return
      }
      case 'late':
        for (const old of harness.producers.slice(0, -1)) {
          const sent = old.sent[one.pick % Math.max(1, old.sent.length)]
          if (sent !== undefined) old.reportLate(sent)
        }
        return
      case 'fatal':
        return producer.fatal()
      case 'refuse':
        this.refusal = one.code
        return
      case 'topics':
        this.topicsWork = one.work
        return
      case 'pass':
        return harness.pass(one.ms)
    }
  }

  /** Nothing is in two places or in none. */
  check(): void {
    const { harness } = this
    harness.assertConserved()
    const inFlight = harness.producer.abandoned ? 0 : harness.delivery.inFlightRecords
    assert.ok(inFlight <= 50, `${inFlight} in flight of at most 50`)
    const lanes = [...harness.delivery.lanes()]
    assert.equal(
      lanes.reduce((sum, lane) => sum + lane.inFlight, 0),
      harness.delivery.inFlightRecords
    )
    const texts = harness.producer.unreported.map(({ text }) => text)
    assert.equal(new Set(texts).size, texts.length, 'an event is in flight once at a time')
  }

  /** From here on all is well: whatever happened before, everything must get to its end. */
  async heal(): Promise<void> {
    const { harness } = this
    this.refusal = undefined
    this.topicsWork = true
    for (let i = 0; i < 400 && harness.store.pendingEvents > 0; i++) {
      this.producer.reportAll()
      await harness.pass(400, 25)
    }
    assert.equal(harness.store.pendingEvents, 0, 'nothing is pending once Kafka takes everything')
    assert.equal(harness.delivery.inFlightRecords, 0)
    harness.assertConserved()
  }
}

test('whatever happens in whatever order, each accepted event ends once, or is still pending', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const world: World = new World(
        await DeliveryHarness.start(t, {
          inFlightMaxRecords: 50,
          inFlightMaxBytes: 100_000,
          ensureTopic: () => Promise.resolve(world.topicsWork ? 'ready' : { refused: kafkaError(38) })
        })
      )
      try {
        for (const one of steps) {
          await world.take(one)
          world.check()
        }
        await world.heal()
      } finally {
        await world.harness.delivery.stop()
        t.mock.timers.reset()
      }
    }),
    { numRuns: 400 }
  )
})
