import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

test('one topic alone has at most half of the window’s records in flight', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 100 })
  harness.accept(texts(1000))
  await harness.burst()
  assert.equal(harness.sent.length, 50)
  harness.producer.report(10)
  await harness.burst()
  assert.equal(harness.sent.length, 60)
})

test('one topic alone has at most half of the window’s bytes in flight', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxBytes: 1_000_000 })
  // Each counts its 10,000 bytes and a little for bookkeeping.
  harness.accept(texts(200).map(text => text.padEnd(10_000)))
  await harness.burst()
  assert.ok(harness.sent.length > 40 && harness.sent.length <= 50, `${harness.sent.length} in flight`)
})

test('everything goes through a window that is much smaller, in order', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 10 })
  harness.accept(texts(200))
  for (let i = 0; harness.store.pendingEvents > 0; i++) {
    assert.ok(i < 100)
    await harness.burst()
    assert.ok(harness.delivery.inFlightRecords <= 10)
    harness.producer.reportAll()
  }
  assert.deepEqual(harness.delivered, texts(200))
})

test('a record larger than the whole window goes, and a window of one record is enough', async t => {
  for (const options of [{ inFlightMaxBytes: 5000 }, { inFlightMaxRecords: 1 }]) {
    const harness = await DeliveryHarness.start(t, options)
    harness.accept(['small', 'large'.padEnd(100_000), 'small too'])
    for (let i = 0; i < 5; i++) {
      await harness.burst()
      harness.producer.reportAll()
    }
    assert.equal(harness.delivered.length, 3)
    await harness.delivery.stop()
    t.mock.timers.reset()
  }
})

test('a topic from which nothing comes back does not hold up another', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 100 })
  harness.accept(texts(1000), 'stuck')
  await harness.burst()
  harness.accept(texts(200, 'ok'), 'healthy')
  for (let i = 0; i < 20; i++) {
    await harness.burst()
    harness.producer.reportWhere(({ record }) => record.topic === 'healthy')
  }
  assert.deepEqual(harness.delivered, texts(200, 'ok'))
  assert.equal(harness.delivery.inFlightRecords, 50)
})

test('regression: a hundred topics that get stuck one after another leave room for one that does not', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 1000 })
  for (let i = 0; i < 99; i++) {
    harness.accept(texts(600), `stuck-${i}`)
    await harness.pass(5)
  }
  harness.accept(texts(50, 'ok'), 'healthy')
  for (let i = 0; i < 60; i++) {
    await harness.pass(5)
    harness.producer.reportWhere(({ record }) => record.topic === 'healthy')
  }
  assert.deepEqual(harness.delivered, texts(50, 'ok'))
})

test('regression: the same for bytes', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxBytes: 1_000_000 })
  const large = texts(100).map(text => text.padEnd(10_000))
  for (let i = 0; i < 8; i++) {
    harness.accept(large, `stuck-${i}`)
    await harness.pass(5)
  }
  harness.accept(texts(20, 'ok'), 'healthy')
  for (let i = 0; i < 30; i++) {
    await harness.pass(5)
    harness.producer.reportWhere(({ record }) => record.topic === 'healthy')
  }
  assert.deepEqual(harness.delivered, texts(20, 'ok'))
})

test('a topic that backs off does not hold up another, nor does one that fails for ever', async t => {
  const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 20 })
  harness.accept(texts(50, 'bad'), 'failing')
  harness.accept(texts(50, 'ok'), 'healthy')
  for (let i = 0; i < 30; i++) {
    await harness.burst()
    harness.producer.reportWhere(({ record }) => record.topic === 'failing', kafkaError(29))
    harness.producer.reportWhere(({ record }) => record.topic === 'healthy')
  }
  assert.deepEqual(harness.delivered, texts(50, 'ok'))
  assert.equal(harness.store.pendingEvents, 50)
  harness.assertConserved()
})

test('until Kafka acknowledges something, little is in flight; then the window opens, and closes when all is delivered', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(2000))
  await harness.burst()
  assert.equal(harness.delivery.inFlightRecords, 256, 'Kafka may be away: what is in flight is in memory twice')
  harness.accept(texts(3, 'other'), 'other')
  await harness.burst()
  assert.equal(harness.delivery.inFlightRecords, 257, 'a topic with nothing in flight does not wait')
  for (let i = 0; i < 2; i++) {
    harness.producer.reportAll()
    await harness.burst()
  }
  const opened: number = harness.delivery.inFlightRecords
  assert.ok(opened > 450, `${opened} in flight`)
  while (harness.store.pendingEvents > 0) {
    harness.producer.reportAll()
    await harness.burst()
  }
  harness.accept(texts(1000, 'again'))
  await harness.burst()
  assert.equal(harness.delivery.inFlightRecords, 256)
})
