import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaError, type Sent } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

/** NOT_ENOUGH_REPLICAS: what one partition of several may well say. */
const PARTITION = kafkaError(19)
const isBad = ({ text }: Sent): boolean => text.startsWith('bad')

/** One partition fails everything at once, the other takes everything. */
function actAsHalf(harness: DeliveryHarness): void {
  harness.producer.reportWhere(isBad, PARTITION)
  harness.producer.reportWhere(sent => !isBad(sent))
}

test('a success does not end the backoff that a failure has set', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['bad', 'good'])
  await harness.burst()
  actAsHalf(harness)
  await harness.pass(100, 1)
  assert.deepEqual(harness.delivered, ['good'])
  assert.deepEqual(harness.sent, ['bad', 'good'], 'with random = 0.5 the first wait is 150 ms')
  await harness.pass(100, 1)
  assert.deepEqual(harness.sent, ['bad', 'good', 'bad'])
})

test('a partition that goes on failing is tried about once a second, not in every burst, and the others are served', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(10, 'bad'))
  for (let i = 0; i < 600; i++) {
    if (i % 10 === 0) harness.accept([`good${i}`])
    await harness.pass(100, 10)
    actAsHalf(harness)
  }
  const attempts = harness.sent.filter(text => text === 'bad0').length
  assert.ok(attempts >= 60 && attempts <= 100, `${attempts} attempts in a minute`)
  await harness.pass(1500, 10)
  actAsHalf(harness)
  await harness.burst()
  assert.equal(harness.delivered.length, 60)
  harness.assertConserved()
})

test('a topic of which nothing works is tried with growing waits, also if it has worked before', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['before'])
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  harness.accept(['bad'])
  await harness.burst()
  for (let i = 0; i < 600; i++) {
    actAsHalf(harness)
    await harness.pass(100, 10)
  }
  const attempts = harness.sent.filter(text => text === 'bad').length
  assert.ok(attempts <= 10, `${attempts} attempts in a minute`)
})

test('the trouble is to be seen until the last event that suffered from it is delivered', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['bad', 'good'])
  await harness.burst()
  actAsHalf(harness)
  await harness.burst()
  const [lane] = harness.delivery.lanes()
  assert.equal(lane?.problem, 'error 19')
  await harness.pass(300)
  harness.producer.reportAll()
  await harness.burst()
  assert.equal(lane?.problem, undefined)
})

test('when the partition is back, everything goes on at once, and the next failure waits as briefly as the first', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(20, 'bad'))
  await harness.burst()
  for (let i = 0; i < 100; i++) {
    harness.accept([`good${i}`])
    await harness.pass(100, 10)
    actAsHalf(harness)
  }
  // From here on it works.
  await harness.pass(1100, 10)
  harness.producer.reportAll()
  await harness.burst()
  harness.accept(['more'])
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  assert.equal(harness.store.pendingEvents, 0)
  harness.accept(['bad-again'])
  await harness.burst()
  harness.producer.reportAll(PARTITION)
  await harness.pass(220)
  assert.equal(harness.sent.filter(text => text === 'bad-again').length, 2)
})

test('a long wait is cut to a second by the first sign that the topic works again', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 40 })
  harness.accept(texts(10, 'bad'))
  await harness.burst()
  // One record stays under way while the others fail until the wait is 20 s or so.
  for (let i = 0; i < 9; i++) {
    harness.producer.reportWhere(({ text }) => text !== 'bad0', PARTITION)
    const before = harness.sent.length
    while (harness.sent.length === before) await harness.pass(100, 10)
  }
  harness.producer.reportWhere(({ text }) => text !== 'bad0', PARTITION)
  await harness.pass(1000, 10)
  harness.producer.reportWhere(({ text }) => text === 'bad0')
  const before = harness.sent.length
  await harness.pass(1100, 10)
  assert.equal(harness.sent.length, before + 9)
})

test('an event that failed and was given up later does not keep its topic in trouble', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['bad'])
  await harness.burst()
  harness.producer.reportAll(PARTITION)
  await harness.pass(300)
  harness.producer.reportAll(kafkaError(10))
  await harness.burst()
  harness.producer.reportAll(kafkaError(10))
  await harness.burst()
  assert.deepEqual(harness.deadLettered, [['bad', 'record_too_large']])
  harness.accept(['good'])
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  const [lane] = harness.delivery.lanes()
  assert.equal(lane?.problem, undefined)
})
