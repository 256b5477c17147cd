import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

/** REQUEST_TIMED_OUT: as good an example of what passes as any. */
const PASSES = kafkaError(7)

test('events are sent in the order of acceptance and released when Kafka has them, not before', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(20))
  await harness.burst()
  assert.deepEqual(harness.sent, texts(20))
  assert.equal(harness.store.pendingEvents, 20)
  assert.equal(harness.delivery.inFlightRecords, 20)
  harness.producer.report(5)
  await harness.burst()
  assert.deepEqual(harness.delivered, texts(5))
  assert.equal(harness.store.pendingEvents, 15)
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, texts(20))
  assert.equal(harness.store.pendingEvents, 0)
  assert.equal(harness.delivery.inFlightRecords, 0)
})

test('delivery duration is the time from receipt to acknowledgement', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['x'])
  await harness.pass(2000)
  harness.producer.reportAll()
  await harness.pass(500)
  const [seconds = 0] = harness.seconds
  assert.ok(seconds >= 2 && seconds < 2.6, `${seconds} s`)
})

test('events go out in bursts, a few milliseconds apart, and not one by one', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['first'])
  assert.deepEqual(harness.sent, [], 'not from within the request')
  harness.accept(['second'])
  await harness.pass(5)
  assert.deepEqual(harness.sent, ['first', 'second'])
})

test('an event that fails is sent again after the backoff, before those that came later', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(3))
  await harness.burst()
  harness.producer.reportWhere(({ text }) => text === '1', PASSES)
  harness.accept(['later'])
  await harness.pass(60)
  assert.deepEqual(harness.sent, texts(3), 'nothing of the topic goes out during the backoff')
  assert.equal(harness.store.pendingEvents, 4)
  await harness.pass(200)
  assert.deepEqual(harness.sent, [...texts(3), '1', 'later'])
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.failedAttempts, [['a-topic', 7]])
  harness.assertConserved()
  assert.equal(harness.store.pendingEvents, 0)
})

test('events that fail together, in any order, are sent again in the order of acceptance', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(5))
  await harness.burst()
  for (const text of ['3', '0', '4', '1', '2']) harness.producer.reportWhere(sent => sent.text === text, PASSES)
  await harness.pass(300)
  assert.deepEqual(harness.sent.slice(5), texts(5))
})

test('waits between attempts double from 200 ms to 30 s, and start anew after a delivery', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['x'])
  await harness.burst()
  const waits: number[] = []
  for (let attempt = 1; attempt <= 11; attempt++) {
    harness.producer.reportAll(PASSES)
    const before = harness.sent.length
    const start = Date.now()
    while (harness.sent.length === before) await harness.pass(10, 10)
    waits.push(Date.now() - start)
  }
  // With random = 0.5 a wait is three quarters of its ceiling.
  const expected = [150, 300, 600, 1200, 2400, 4800, 9600, 19_200, 22_500, 22_500, 22_500]
  waits.forEach((wait, i) => {
    const least = expected[i] ?? 0
    assert.ok(wait >= least && wait <= least + 60, `wait ${i + 1}: ${wait} ms instead of ${least} ms`)
  })
  harness.producer.reportAll()
  await harness.burst()
  harness.accept(['y'])
  await harness.burst()
  harness.producer.reportAll(PASSES)
  await harness.pass(220)
  assert.deepEqual(harness.sent.slice(-2), ['y', 'y'])
})

test('failures of one batch are one failure: the wait does not double with the number of records', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(100))
  await harness.burst()
  harness.producer.reportAll(PASSES)
  await harness.pass(230)
  assert.equal(harness.sent.length, 200)
})

test('an event is tried again for as long as it takes', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['patient'])
  for (let attempt = 0; attempt < 30; attempt++) {
    await harness.pass(23_000, 100)
    harness.producer.reportAll(PASSES)
  }
  assert.equal(harness.store.pendingEvents, 1)
  await harness.pass(23_000, 100)
  assert.equal(harness.sent.length, 31)
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, ['patient'])
})

test('a record that librdkafka does not take at once is sent again', async t => {
  const harness = await DeliveryHarness.start(t)
  let refusals = 3
  harness.producer.refuse = () => (refusals-- > 0 ? kafkaError(-184) : undefined)
  harness.accept(texts(4))
  await harness.pass(3000)
  assert.deepEqual(harness.sent, texts(4))
  harness.producer.reportAll()
  await harness.burst()
  harness.assertConserved()
  assert.equal(harness.store.pendingEvents, 0)
  assert.equal(harness.delivery.inFlightRecords, 0)
})

test('where no report comes nothing is lost: the events stay pending and are sent once', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(10))
  await harness.pass(60_000)
  assert.deepEqual(harness.sent, texts(10))
  assert.equal(harness.store.pendingEvents, 10)
  assert.equal(harness.delivery.inFlightRecords, 10)
  assert.ok(harness.store.oldestReceivedAt() !== undefined)
})

test('after the stop nothing is sent, reports change nothing, and what is pending stays in the store', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(3))
  await harness.burst()
  const { producer } = harness
  producer.report(1)
  await harness.delivery.stop()
  assert.ok(producer.abandoned && producer.closed)
  harness.accept(['too late'])
  await harness.pass(5000)
  assert.deepEqual(harness.sent, texts(3))
  assert.equal(harness.store.pendingEvents, 4)
  assert.deepEqual(harness.delivered, [])
})

test('a producer that cannot work at all fails the start', async t => {
  const harness = new DeliveryHarness(t)
  harness.startError = new Error('acks must be all')
  await assert.rejects(harness.delivery.start(), /acks must be all/)
})

test('an event that no record can be made of becomes a dead letter, and those behind it arrive', async t => {
  const harness = await DeliveryHarness.start(t, {
    buildRecord: ({ event, topic }) => {
      if (event.data.toString() === '1') throw new RangeError('no such record')
      return { topic, key: null, value: event.data, headers: [] }
    }
  })
  harness.accept(texts(3))
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.deadLettered, [['1', 'internal_error']])
  assert.deepEqual(harness.delivered, ['0', '2'])
  assert.equal(harness.delivery.inFlightRecords, 0)
  harness.assertConserved()
})
