import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

test('a fatal error replaces the producer, and everything in flight is sent again once, in order', async t => {
  const harness = await DeliveryHarness.start(t)
  const [first] = harness.producers
  assert.ok(first)
  harness.accept(texts(10))
  await harness.burst()
  first.report(3)
  await harness.burst()
  harness.accept(['later'])
  first.fatal()
  assert.ok(first.closed)
  assert.deepEqual(harness.rebuilds, [7])
  assert.equal(harness.delivery.inFlightRecords, 0)
  await harness.pass(1000)
  assert.equal(harness.producers.length, 2)
  assert.deepEqual(harness.sent, [...texts(10).slice(3), 'later'])
  harness.producer.reportAll()
  await harness.burst()
  assert.equal(harness.store.pendingEvents, 0)
  harness.assertConserved()
})

for (const code of [-150, -144, 45, 47, 49, 59, 90]) {
  test(`code ${code} in a delivery report replaces the producer`, async t => {
    const harness = await DeliveryHarness.start(t)
    harness.accept(texts(5))
    await harness.burst()
    harness.producer.report(1, kafkaError(code))
    await harness.pass(1000)
    assert.equal(harness.producers.length, 2)
    assert.deepEqual(harness.sent, texts(5))
    assert.deepEqual(harness.failedAttempts, [['a-topic', code]])
    harness.producer.reportAll()
    await harness.burst()
    harness.assertConserved()
    assert.equal(harness.store.pendingEvents, 0)
  })
}

test('code -150 from produce() replaces the producer', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.producer.refuse = () => kafkaError(-150)
  harness.accept(texts(5))
  await harness.pass(1000)
  assert.equal(harness.producers.length, 2)
  assert.deepEqual(harness.sent, texts(5))
})

test('reports of a replaced producer change nothing: what it had is in other hands', async t => {
  const harness = await DeliveryHarness.start(t)
  const [first] = harness.producers
  assert.ok(first)
  harness.accept(texts(4))
  await harness.burst()
  const old = [...first.sent]
  first.fatal()
  for (const sent of old.slice(0, 2)) first.reportLate(sent)
  first.reportLate(old[2] ?? assert.fail(), kafkaError(-150))
  first.fatal()
  await harness.pass(1000)
  assert.equal(harness.producers.length, 2)
  assert.deepEqual(harness.delivered, [])
  assert.equal(harness.store.pendingEvents, 4)
  assert.equal(harness.delivery.inFlightRecords, 4)
  for (const sent of old) first.reportLate(sent)
  assert.equal(harness.store.pendingEvents, 4)
  harness.producer.reportAll()
  await harness.burst()
  harness.assertConserved()
  assert.deepEqual(harness.delivered, texts(4))
})

test('a suspect that was in flight alone goes alone again', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(3))
  await harness.burst()
  harness.producer.reportAll(kafkaError(10))
  await harness.burst()
  harness.producer.fatal()
  await harness.pass(1000)
  assert.deepEqual(harness.sent, ['0'])
  for (let i = 0; i < 3; i++) {
    harness.producer.reportAll()
    await harness.burst()
  }
  assert.deepEqual(harness.delivered, texts(3))
})

test('a producer that cannot be made anew is tried again, with growing waits', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(3))
  await harness.burst()
  harness.startError = new Error('ssl.ca.location: no such file')
  harness.producer.fatal()
  await harness.pass(20_000)
  assert.ok(harness.rebuilds.length >= 4 && harness.rebuilds.length <= 8, `${harness.rebuilds.length} attempts`)
  assert.equal(harness.store.pendingEvents, 3)
  harness.startError = undefined
  await harness.pass(31_000)
  assert.deepEqual(harness.sent, texts(3))
})

test('regression: the wait before a rebuild starts anew once events were delivered', async t => {
  const harness = await DeliveryHarness.start(t)
  for (let i = 0; i < 12; i++) {
    harness.accept([String(i)])
    await harness.pass(900)
    assert.deepEqual(harness.sent, [String(i)], `producer ${i + 1} is there within a second of the fatal error`)
    harness.producer.reportAll()
    await harness.burst()
    harness.producer.fatal()
  }
})

test('no producer is made after the stop', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.producer.fatal()
  await harness.delivery.stop()
  await harness.pass(40_000, 100)
  assert.equal(harness.producers.length, 1)
})
