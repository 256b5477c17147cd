import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import { sizeOf } from '../../sidecar/store/size.ts'
import type { AcceptedEvent, StoredEvent } from '../../sidecar/store/store.ts'

function eventOf(text: string, receivedAt = 1): AcceptedEvent {
  return { event: { attributes: [{ name: 'id', value: text }], data: Buffer.from(text) }, topic: 'a-topic', receivedAt }
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
  const first = store.take()
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
  assert.equal(store.take(), undefined)
})

test('the events are there when it says stored, and it says available when there were none before', () => {
  const store = new MemoryStore(100 * ONE)
  const calls: string[] = []
  store.onAvailable = () => calls.push(`available ${store.pendingEvents}`)
  store.append([eventOf('a'), eventOf('b')], outcome => calls.push(`${outcome} ${store.pendingEvents}`))
  append(store, 'c')
  assert.deepEqual(calls, ['stored 2', 'available 2'])
  while (store.take() !== undefined);
  append(store, 'd')
  assert.deepEqual(calls.at(-1), 'available 4')
})

test('the oldest event is known, in whatever order events are released', () => {
  const store = new MemoryStore(100 * ONE)
  assert.equal(store.oldestReceivedAt(), undefined)
  const events: StoredEvent[] = []
  for (let i = 0; i < 5; i++) store.append([eventOf('x', 100 + i)], () => {})
  for (let i = 0; i < 5; i++) events.push(store.take() ?? assert.fail())
  const oldest: (number | undefined)[] = []
  for (const index of [2, 0, 4, 1, 3]) {
    store.release(events[index] ?? assert.fail())
    oldest.push(store.oldestReceivedAt())
  }
  assert.deepEqual(oldest, [100, 101, 101, 103, undefined])
})

test('it behaves as a list would', () => {
  const bytes = fc.integer({ min: 0, max: 3000 })
  const step = fc.oneof(
    fc.record({ do: fc.constant('append' as const), sizes: fc.array(bytes, { maxLength: 4 }) }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('release' as const), pick: fc.nat(20) })
  )
  const limit = 20_000
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const store = new MemoryStore(limit)
      let available = 0
      store.onAvailable = () => available++
      const pending: AcceptedEvent[] = []
      const taken: StoredEvent[] = []
      let next = 0
      let untaken: AcceptedEvent[] = []
      const sum = (events: readonly AcceptedEvent[]): number =>
        events.reduce((total, { event }) => total + sizeOf(event), 0)
      for (const one of steps) {
        if (one.do === 'append') {
          const events = one.sizes.map(size => eventOf('x'.repeat(size), next++))
          const fits = pending.length === 0 || sum(pending) + sum(events) <= limit
          const before = available
          store.append(events, outcome => assert.equal(outcome, fits ? 'stored' : 'full'))
          if (fits) {
            assert.equal(available - before, untaken.length === 0 && events.length > 0 ? 1 : 0)
            pending.push(...events)
            untaken.push(...events)
          }
        } else if (one.do === 'take') {
          const event = store.take()
          assert.equal(event?.event, untaken[0]?.event)
          untaken = untaken.slice(1)
          if (event !== undefined) taken.push(event)
        } else if (taken.length > 0) {
          const [event] = taken.splice(one.pick % taken.length, 1)
          assert.ok(event)
          store.release(event)
          pending.splice(
            pending.findIndex(({ event: same }) => same === event.event),
            1
          )
        }
        assert.equal(store.pendingEvents, pending.length)
        assert.equal(store.pendingBytes, sum(pending))
        assert.equal(store.oldestReceivedAt(), pending[0]?.receivedAt)
      }
      const sequences = taken.map(({ sequence }) => sequence)
      assert.deepEqual(
        sequences,
        [...sequences].sort((a, b) => a - b)
      )
    }),
    { numRuns: 300 }
  )
})
