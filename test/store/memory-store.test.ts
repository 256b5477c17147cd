import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MemoryStore, type WhenFull } from '../../sidecar/store/memory-store.ts'
import { sizeOf } from '../../sidecar/store/size.ts'
import type { AcceptedEvent, StoredEvent } from '../../sidecar/store/store.ts'
import { takeAll } from './take-all.ts'

function eventOf(text: string, receivedAt = 1, topic = 'a-topic'): AcceptedEvent {
  return { event: { attributes: [{ name: 'id', value: text }], data: Buffer.from(text) }, topic, receivedAt }
}

/** Takes the next event of the first topic that has one, or of a certain one. */
function takeOne(store: MemoryStore, topic?: string): StoredEvent | undefined {
  for (const queue of store.queues()) {
    const next = queue.peek()
    if (next === undefined || (topic !== undefined && queue.topic !== topic)) continue
    queue.take()
    return next
  }
  return undefined
}

function textsOf(events: readonly StoredEvent[]): string[] {
  return events.map(({ event }) => event.data.toString())
}

function append(store: MemoryStore, ...texts: string[]): string {
  let answer = 'none'
  store.append(
    texts.map(text => eventOf(text)),
    outcome => (answer = outcome)
  )
  return answer
}

const ONE = sizeOf(eventOf('x').event)

test('an event counts its data, its attributes and what keeping it costs', () => {
  assert.ok(ONE > 1000)
  assert.equal(sizeOf(eventOf('x'.repeat(101)).event), ONE + 200)
})

test('the bound is on the sum, and what was released makes room', () => {
  const store = new MemoryStore(3 * ONE)
  assert.deepEqual([append(store, 'a'), append(store, 'b'), append(store, 'c')], ['stored', 'stored', 'stored'])
  assert.equal(store.pendingBytes, 3 * ONE)
  assert.equal(append(store, 'd'), 'full')
  const first = takeOne(store)
  assert.equal(append(store, 'd'), 'full', 'what was handed out is still answered for')
  assert.ok(first)
  store.release(first)
  assert.equal(append(store, 'd'), 'stored')
  assert.equal(store.pendingEvents, 3)
})

test('a batch is taken as a whole or not at all', () => {
  const store = new MemoryStore(3 * ONE)
  append(store, 'a')
  assert.equal(append(store, 'b', 'c', 'd'), 'full')
  assert.equal(store.pendingEvents, 1)
  assert.equal(append(store, 'b', 'c'), 'stored')
  assert.equal(store.pendingEvents, 3)
})

test('what is larger than the bound goes into an empty queue, and no other', () => {
  const store = new MemoryStore(ONE)
  assert.equal(append(store, 'large'.padEnd(10_000)), 'stored')
  assert.equal(append(store, 'x'), 'full')
})

test('an empty batch is stored and makes nothing available', () => {
  const store = new MemoryStore(ONE)
  store.onAvailable = () => assert.fail('there is nothing')
  assert.equal(append(store), 'stored')
  assert.deepEqual(takeAll(store), [])
})

test('the events are there when it says stored, and it says available when there were none before', () => {
  const store = new MemoryStore(100 * ONE)
  const calls: string[] = []
  store.onAvailable = () => calls.push(`available ${store.pendingEvents}`)
  store.append([eventOf('a'), eventOf('b')], outcome => calls.push(`${outcome} ${store.pendingEvents}`))
  append(store, 'c')
  assert.deepEqual(calls, ['stored 2', 'available 2'])
  takeAll(store)
  append(store, 'd')
  assert.deepEqual(calls.at(-1), 'available 4')
})

test('the oldest event is known, in whatever order events are released', () => {
  const store = new MemoryStore(100 * ONE)
  assert.equal(store.oldestReceivedAt(), undefined)
  for (let i = 0; i < 5; i++) store.append([eventOf('x', 100 + i)], () => {})
  const events = takeAll(store)
  const oldest: (number | undefined)[] = []
  for (const index of [2, 0, 4, 1, 3]) {
    store.release(events[index] ?? assert.fail())
    oldest.push(store.oldestReceivedAt())
  }
  assert.deepEqual(oldest, [100, 101, 101, 103, undefined])
})

test('each topic has a queue of its own, the same one each time, in the order in which they came up', () => {
  const store = new MemoryStore(100 * ONE)
  for (const [text, topic] of ['b0 b', 'a0 a', 'b1 b', 'a1 a', 'a2 a'].map(one => one.split(' ') as [string, string])) {
    store.append([eventOf(text, 1, topic)], () => {})
  }
  const queues = [...store.queues()]
  assert.deepEqual(
    queues.map(({ topic, waiting }) => [topic, waiting]),
    [
      ['b', 2],
      ['a', 3]
    ]
  )
  const [b, a] = queues
  assert.ok(a && b)
  assert.equal(a.peek()?.event.data.toString(), 'a0')
  assert.equal(a.peek()?.event.data.toString(), 'a0', 'looking takes nothing')
  a.take()
  assert.equal(a.peek()?.event.data.toString(), 'a1')
  assert.equal(b.peek()?.event.data.toString(), 'b0')
  assert.deepEqual([a.waiting, b.waiting], [2, 2])
  takeAll(store)
  assert.deepEqual([a.waiting, a.peek()], [0, undefined])
  assert.deepEqual([...store.queues()], queues)
})

test('an event for a topic of which none waits makes something available, whatever waits for others', () => {
  const store = new MemoryStore(100 * ONE)
  let available = 0
  store.onAvailable = () => available++
  store.append([eventOf('a', 1, 'one')], () => {})
  store.append([eventOf('b', 1, 'one')], () => {})
  assert.equal(available, 1)
  store.append([eventOf('c', 1, 'one'), eventOf('d', 1, 'two')], () => {})
  assert.equal(available, 2)
})

test('nothing was replayed, and all of it is lost with the process', async () => {
  const store = new MemoryStore(100 * ONE)
  append(store, 'a', 'b')
  assert.equal(store.volatileEvents, 2)
  assert.deepEqual(
    takeAll(store).map(({ replayed }) => replayed),
    [false, false]
  )
  await store.close()
})

describe('drop-oldest', () => {
  function fullStore(): { store: MemoryStore; dropped: [string, number][] } {
    const store = new MemoryStore(4 * ONE, 'drop-oldest')
    const dropped: [string, number][] = []
    store.onDropped = (reason, events) => void dropped.push([reason, events])
    for (const [text, topic] of [
      ['0', 'a'],
      ['1', 'b'],
      ['2', 'b'],
      ['3', 'a']
    ] as const) {
      store.append([eventOf(text, 100 + Number(text), topic)], outcome => assert.equal(outcome, 'stored'))
    }
    assert.deepEqual(dropped, [])
    return { store, dropped }
  }

  test('gives up the oldest events that wait, over all topics, until the new ones fit', () => {
    const { store, dropped } = fullStore()
    assert.equal(append(store, '4'), 'stored')
    assert.deepEqual(dropped, [['queue_full', 1]])
    assert.equal(append(store, '5', '6'), 'stored')
    assert.deepEqual(dropped, [
      ['queue_full', 1],
      ['queue_full', 2]
    ])
    assert.equal(store.pendingEvents, 4)
    assert.equal(store.pendingBytes, 4 * ONE)
    assert.equal(store.oldestReceivedAt(), 103)
    assert.deepEqual(textsOf(takeAll(store)), ['3', '4', '5', '6'])
  })

  test('cannot give up what was taken: later events go, and when there are none left it is full', () => {
    const { store, dropped } = fullStore()
    const taken = [takeOne(store, 'a'), takeOne(store, 'b'), takeOne(store, 'b')]
    assert.equal(append(store, '4'), 'stored')
    assert.deepEqual(dropped, [['queue_full', 1]])
    assert.equal(append(store, '5', '6'), 'full')
    assert.deepEqual(dropped, [['queue_full', 1]], 'what would not make room is not given up')
    assert.equal(store.pendingEvents, 4)
    assert.equal(store.oldestReceivedAt(), 100)
    store.release(taken[1] ?? assert.fail())
    assert.equal(append(store, '5', '6'), 'stored')
    assert.deepEqual(dropped.slice(1), [['queue_full', 1]])
    assert.deepEqual(textsOf(takeAll(store)), ['5', '6'])
  })

  test('the count is told before the new events are there, so that no scrape sees more than was received', () => {
    const { store } = fullStore()
    const calls: string[] = []
    store.onDropped = (_reason, events) => calls.push(`dropped ${events}, pending ${store.pendingEvents}`)
    store.append([eventOf('4'), eventOf('5')], outcome => calls.push(`${outcome}, pending ${store.pendingEvents}`))
    assert.deepEqual(calls, ['dropped 2, pending 2', 'stored, pending 4'])
  })

  test('what is larger than the bound goes into a queue that was emptied for it', () => {
    const { store, dropped } = fullStore()
    assert.equal(append(store, 'large'.padEnd(10_000)), 'stored')
    assert.deepEqual(dropped, [['queue_full', 4]])
    assert.equal(store.pendingEvents, 1)
    takeAll(store)
    assert.equal(append(store, 'larger'.padEnd(20_000)), 'full', 'while it is in other hands nothing makes room')
  })
})

for (const whenFull of ['reject', 'drop-oldest'] as const) {
  test(`it behaves as a list would: ${whenFull}`, () => {
    const bytes = fc.integer({ min: 0, max: 3000 })
    const topic = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.record({
        do: fc.constant('append' as const),
        events: fc.array(fc.record({ bytes, topic }), { maxLength: 4 })
      }),
      fc.record({ do: fc.constant('take' as const), topic }),
      fc.record({ do: fc.constant('release' as const), pick: fc.nat(20) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const model = new StoreModel(whenFull)
        for (const one of steps) {
          if (one.do === 'append') {
            model.append(one.events.map(event => eventOf('x'.repeat(event.bytes), model.accepted++, event.topic)))
          } else if (one.do === 'take') model.take(one.topic)
          else model.release(one.pick)
          model.check()
        }
      }),
      { numRuns: 300 }
    )
  })
}

/** A store, and the lists that say what it must do. */
class StoreModel {
  static readonly limit = 20_000
  accepted = 0
  readonly #store: MemoryStore
  readonly #drops: boolean
  #pending: AcceptedEvent[] = []
  #untaken: AcceptedEvent[] = []
  readonly #taken: StoredEvent[] = []
  readonly #sequences: number[] = []
  #available = 0
  #dropped = 0

  constructor(whenFull: WhenFull) {
    this.#drops = whenFull === 'drop-oldest'
    this.#store = new MemoryStore(StoreModel.limit, whenFull)
    this.#store.onAvailable = () => this.#available++
    this.#store.onDropped = (reason, events) => {
      assert.equal(reason, 'queue_full')
      assert.ok(events > 0)
      this.#dropped += events
    }
  }

  append(events: readonly AcceptedEvent[]): void {
    const before = { available: this.#available, dropped: this.#dropped }
    const victims = this.#victims(events)
    const isNew = events.some(({ topic }) => !this.#untaken.some(one => one.topic === topic && !victims?.includes(one)))
    this.#store.append(events, outcome => assert.equal(outcome, victims === undefined ? 'full' : 'stored'))
    assert.equal(this.#dropped - before.dropped, victims?.length ?? 0)
    if (victims === undefined) return
    assert.equal(this.#available - before.available, isNew ? 1 : 0)
    this.#pending = [...this.#pending.filter(one => !victims.includes(one)), ...events]
    this.#untaken = [...this.#untaken.filter(one => !victims.includes(one)), ...events]
  }

  /** What has to go so that these fit; undefined: they do not. */
  #victims(events: readonly AcceptedEvent[]): AcceptedEvent[] | undefined {
    const fits = (pending: readonly AcceptedEvent[]): boolean =>
      pending.length === 0 || sum(pending) + sum(events) <= StoreModel.limit
    for (let count = 0; count <= (this.#drops ? this.#untaken.length : 0); count++) {
      const victims = this.#untaken.slice(0, count)
      if (fits(this.#pending.filter(one => !victims.includes(one)))) return victims
    }
    return undefined
  }

  take(topic: string): void {
    const expected = this.#untaken.find(one => one.topic === topic)
    const event = takeOne(this.#store, topic)
    assert.equal(event?.event, expected?.event)
    if (event === undefined) return
    this.#untaken = this.#untaken.filter(one => one !== expected)
    this.#taken.push(event)
    this.#sequences[event.receivedAt] = event.sequence
  }

  release(pick: number): void {
    const [event] = this.#taken.splice(pick % Math.max(1, this.#taken.length), 1)
    if (event === undefined) return
    this.#store.release(event)
    this.#pending = this.#pending.filter(one => one.event !== event.event)
  }

  check(): void {
    assert.equal(this.#store.pendingEvents, this.#pending.length)
    assert.equal(this.#store.pendingBytes, sum(this.#pending))
    assert.equal(this.#store.oldestReceivedAt(), this.#pending[0]?.receivedAt)
    const waiting = [...this.#store.queues()].reduce((total, queue) => total + queue.waiting, 0)
    assert.equal(waiting, this.#untaken.length)
    // By receivedAt, which is the number of the event here: sparse, since not all were taken.
    const sequences = this.#sequences.filter(() => true)
    assert.deepEqual(
      sequences,
      [...sequences].sort((a, b) => a - b)
    )
  }
}

function sum(events: readonly AcceptedEvent[]): number {
  return events.reduce((total, { event }) => total + sizeOf(event), 0)
}
