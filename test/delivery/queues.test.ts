import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredEvent, TopicQueue } from '../../sidecar/store/store.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import { DeliveryHarness, texts } from './harness.ts'

/** A store whose queues show an event only when it was read from the disk, which a test does by hand. */
class DiskStore extends MemoryStore {
  readonly asked = new Set<string>()
  readonly #read = new Map<string, number>()
  turns = 0
  peeks = 0
  takes = 0;

  override *queues(): Generator<TopicQueue> {
    this.turns++
    for (const queue of super.queues()) {
      const { topic } = queue
      const peek = (): StoredEvent | undefined => {
        this.peeks++
        if ((this.#read.get(topic) ?? 0) > 0) return queue.peek()
        if (queue.waiting > 0) this.asked.add(topic)
        return undefined
      }
      const take = (): void => {
        this.takes++
        this.#read.set(topic, (this.#read.get(topic) ?? 0) - 1)
        queue.take()
      }
      yield {
        topic,
        peek,
        take,
        get waiting() {
          return queue.waiting
        }
      }
    }
  }

  /** The read that was asked for is done. */
  arrive(topic: string, count: number): void {
    this.#read.set(topic, (this.#read.get(topic) ?? 0) + count)
    this.asked.delete(topic)
    this.onAvailable()
  }
}

async function onDisk(t: Parameters<typeof DeliveryHarness.start>[0], inFlightMaxRecords = 1000) {
  const store = new DiskStore(1024 ** 3)
  return { store, harness: await DeliveryHarness.start(t, { memory: store, store, inFlightMaxRecords }) }
}

test('events that have to be read first are waited for, and go when they are there', async t => {
  const { store, harness } = await onDisk(t)
  harness.accept(texts(10))
  await harness.pass(1000)
  assert.deepEqual(harness.sent, [])
  assert.deepEqual([...store.asked], ['a-topic'])
  const [lane] = harness.delivery.lanes()
  assert.equal(lane?.waiting, 10)
  store.arrive('a-topic', 4)
  await harness.burst()
  assert.deepEqual(harness.sent, texts(4))
  assert.equal(lane.waiting, 6)
  store.arrive('a-topic', 6)
  await harness.burst()
  assert.deepEqual(harness.sent, texts(10))
})

test('while one topic is read another goes on', async t => {
  const { store, harness } = await onDisk(t)
  harness.accept(texts(5, 'slow'), 'slow')
  harness.accept(texts(5, 'fast'), 'fast')
  await harness.burst()
  store.arrive('fast', 5)
  await harness.burst()
  assert.deepEqual(harness.sent, texts(5, 'fast'))
})

test('no more is taken than the window has room for: what waits stays with the store', async t => {
  const { store, harness } = await onDisk(t, 20)
  harness.accept(texts(100))
  store.arrive('a-topic', 100)
  await harness.burst()
  assert.equal(store.takes, 10)
  await harness.pass(5000)
  assert.equal(store.takes, 10)
  harness.producer.report(3)
  await harness.burst()
  assert.equal(store.takes, 13)
})

test('what waits for the disk or for Kafka is looked at some forty times a second, not all the time', async t => {
  const { store, harness } = await onDisk(t, 20)
  harness.accept(texts(100))
  store.arrive('a-topic', 50)
  await harness.pass(2000, 1)
  store.peeks = 0
  await harness.pass(1000, 1)
  assert.ok(store.peeks <= 50, `${store.peeks} looks in a second`)
})

test('with nothing to do delivery rests, and what comes then goes within one burst', async t => {
  const { store, harness } = await onDisk(t)
  await harness.pass(1000, 1)
  harness.accept(['x'])
  store.arrive('a-topic', 1)
  await harness.pass(4, 1)
  assert.deepEqual(harness.sent, ['x'])
  harness.producer.reportAll()
  await harness.burst()
  store.turns = 0
  await harness.pass(2000, 1)
  assert.ok(store.turns <= 5, `${store.turns} turns in two seconds`)
})

test('bursts can be closer together, for senders that wait for Kafka', async t => {
  const harness = await DeliveryHarness.start(t, { burstMs: 1 })
  harness.accept(['x'])
  await harness.pass(1)
  assert.deepEqual(harness.sent, ['x'])
})

test('what failed goes before what waits, in the order of acceptance, and after a while that is all of it', async t => {
  const { store, harness } = await onDisk(t, 8)
  harness.accept(texts(12))
  store.arrive('a-topic', 12)
  await harness.burst()
  harness.producer.reportWhere(({ text }) => text === '2', { code: 7, name: 'x', message: 'x' })
  await harness.burst()
  harness.producer.reportWhere(({ text }) => text === '0', { code: 7, name: 'x', message: 'x' })
  await harness.pass(300)
  assert.deepEqual(harness.sent, ['0', '1', '2', '3', '0', '2'])
  for (let i = 0; i < 20; i++) {
    harness.producer.reportAll()
    await harness.burst()
  }
  harness.assertConserved()
  assert.equal(harness.store.pendingEvents, 0)
})
