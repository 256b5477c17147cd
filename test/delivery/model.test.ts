import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kafkaError, type FakeProducer } from './fake-producer.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import { DeliveryHarness, type DeadLetter } from './harness.ts'

/** One thing that happens to a delivery. `pick` chooses among the records that are in flight. */
type Step =
  | { readonly do: 'accept'; readonly topic: number; readonly count: number; readonly bytes: number }
  | { readonly do: 'report'; readonly pick: number; readonly count: number }
  | { readonly do: 'fail'; readonly pick: number; readonly count: number; readonly code: number }
  | { readonly do: 'late'; readonly pick: number }
  | { readonly do: 'fatal' }
  | { readonly do: 'refuse'; readonly code: number | undefined }
  | { readonly do: 'topics'; readonly work: boolean }
  /** Whether the dead letters answer at once, and what; undefined: later. */
  | { readonly do: 'keep'; readonly kept: boolean | undefined }
  | { readonly do: 'answer'; readonly pick: number; readonly kept: boolean; readonly again: boolean }
  /** Whether Kafka answers a question, or leaves it open. */
  | { readonly do: 'kafka'; readonly answers: 'yes' | 'no' | 'never' }
  | { readonly do: 'pass'; readonly ms: number }

// Of every kind one: retried, topic gone, alone, rebuild.
const CODES = [7, 29, -185, 3, 10, 10, 87, 45]
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
    arbitrary: fc.record({
      do: fc.constant('refuse' as const),
      code: fc.constantFrom(-184, 10, 10, 10, -150, undefined)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('topics' as const), work: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('keep' as const), kept: fc.constantFrom(true, false, undefined) })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      pick: upTo(40),
      kept: fc.boolean(),
      again: fc.boolean()
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('kafka' as const), answers: fc.constantFrom('yes', 'no', 'never') })
  },
  // The last is longer than the watchdog's timeout.
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 4, 30, 300, 1500) }) }
)

const ANSWERS = {
  yes: () => Promise.resolve(true),
  no: () => Promise.resolve(kafkaError(-195)),
  never: () => new Promise<boolean>(() => {})
}

/** What a step needs to know beside the harness. */
class World {
  refusal: number | undefined
  topicsWork = true
  offered = 0
  /** Dead letters that were answered for: what says so again changes nothing. */
  readonly #answered: DeadLetter[] = []
  readonly harness: DeliveryHarness

  constructor(harness: DeliveryHarness) {
    this.harness = harness
    harness.keepsDeadLetters = undefined
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
        for (let i = 0; i < one.count; i++) harness.offer(`${this.offered++} `.padEnd(one.bytes), `topic-${one.topic}`)
        return
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
      case 'keep':
        harness.keepsDeadLetters = one.kept
        return
      case 'answer':
        if (harness.deadLetters.length > 0) {
          this.#answered.push(harness.answerDeadLetter(one.kept, one.pick % harness.deadLetters.length))
        }
        if (one.again) this.#answered[one.pick % Math.max(1, this.#answered.length)]?.done(!one.kept)
        return
      case 'kafka':
        harness.kafkaAnswers = () => ANSWERS[one.answers]()
        return
      case 'pass':
        return harness.pass(one.ms, one.ms > 100 ? 5 : 1)
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
    const queued = new Map([...harness.store.queues()].map(({ topic, waiting }) => [topic, waiting]))
    // A queue has its lane from the first burst that sees it.
    const waiting = [...queued].reduce((sum, [topic, count]) => {
      const lane = lanes.find(one => one.topic === topic)
      return sum + (lane?.waiting ?? count)
    }, 0)
    assert.equal(
      harness.store.pendingEvents,
      waiting + harness.delivery.inFlightRecords + harness.deadLetters.length,
      'what is pending waits, is in flight, or is on its way to the dead letters'
    )
    const texts = harness.producer.unreported.map(({ text }) => text)
    assert.equal(new Set(texts).size, texts.length, 'an event is in flight once at a time')
  }

  /** From here on all is well: whatever happened before, everything must get to its end. */
  async heal(): Promise<void> {
    const { harness } = this
    this.refusal = undefined
    this.topicsWork = true
    harness.keepsDeadLetters = true
    while (harness.deadLetters.length > 0) harness.answerDeadLetter(true)
    for (let i = 0; i < 400 && harness.store.pendingEvents > 0; i++) {
      this.producer.reportAll()
      await harness.pass(400, 25)
    }
    assert.equal(harness.store.pendingEvents, 0, 'nothing is pending once Kafka takes everything')
    assert.equal(harness.delivery.inFlightRecords, 0)
    harness.assertConserved()
  }
}

for (const whenFull of ['reject', 'drop-oldest'] as const) {
  test(`whatever happens in whatever order, each accepted event ends once, or is still pending: ${whenFull}`, async t => {
    const seen = { rebuilds: 0, stalled: 0, deadLettered: 0, dropped: 0, droppedByStore: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async steps => {
        const world: World = new World(
          await DeliveryHarness.start(t, {
            memory: new MemoryStore(100_000, whenFull),
            inFlightMaxRecords: 50,
            inFlightMaxBytes: 100_000,
            stallTimeoutMs: 1000,
            ensureTopic: () => Promise.resolve(world.topicsWork ? 'ready' : { refused: kafkaError(38) })
          })
        )
        const { harness } = world
        try {
          for (const one of steps) {
            await world.take(one)
            world.check()
          }
          await world.heal()
          seen.rebuilds += harness.rebuilds.length
          seen.stalled += harness.rebuildErrors.filter(({ name }) => name === 'stalled').length
          seen.deadLettered += harness.deadLettered.length
          seen.dropped += harness.dropped.length
          seen.droppedByStore += harness.droppedByStore
        } finally {
          await harness.delivery.stop()
          t.mock.timers.reset()
        }
      }),
      { numRuns: 300 }
    )
    for (const [what, count] of Object.entries(seen)) {
      if (what !== 'droppedByStore' || whenFull === 'drop-oldest') assert.ok(count > 0, `there was no case of: ${what}`)
    }
  })
}
