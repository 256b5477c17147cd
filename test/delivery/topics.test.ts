import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EnsureOutcome } from '../../sidecar/kafka/topics.ts'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

/** An EnsureTopic whose answers a test gives. */
class Topics {
  readonly asked: string[] = []
  readonly #answers: ((outcome: EnsureOutcome) => void)[] = []

  ensure = (topic: string): Promise<EnsureOutcome> => {
    this.asked.push(topic)
    return new Promise(resolve => this.#answers.push(resolve))
  }

  answer(outcome: EnsureOutcome): void {
    const answer = this.#answers.shift()
    assert.ok(answer, 'nobody asks')
    answer(outcome)
  }
}

/** INVALID_REPLICATION_FACTOR */
const REFUSED = kafkaError(38)

test('events wait until their topic is there; it is asked about once', async t => {
  const topics = new Topics()
  const harness = await DeliveryHarness.start(t, { ensureTopic: topics.ensure })
  harness.accept(texts(3))
  await harness.pass(500)
  assert.deepEqual(topics.asked, ['a-topic'])
  assert.deepEqual(harness.sent, [])
  topics.answer('ready')
  await harness.burst()
  assert.deepEqual(harness.sent, texts(3))
  harness.accept(['more'])
  await harness.burst()
  assert.equal(harness.sent.length, 4)
  assert.equal(topics.asked.length, 1)
})

test('a topic that cannot be created is tried again with growing waits, and its events wait without loss', async t => {
  const topics = new Topics()
  const harness = await DeliveryHarness.start(t, { ensureTopic: topics.ensure })
  harness.accept(texts(3))
  await harness.burst()
  const waits: number[] = []
  for (let i = 1; i <= 4; i++) {
    topics.answer({ refused: REFUSED })
    const start = Date.now()
    while (topics.asked.length === i) await harness.pass(1)
    waits.push(Date.now() - start)
  }
  ;[150, 300, 600, 1200].forEach((least, i) => {
    const wait = waits[i] ?? 0
    assert.ok(wait >= least && wait < least + 60, `wait ${i + 1}: ${wait} ms`)
  })
  assert.deepEqual(harness.failedTopics, Array(4).fill(['a-topic', 38]))
  const [lane] = harness.delivery.lanes()
  assert.match(lane?.problem ?? '', /cannot be created: error 38/)
  assert.equal(harness.store.pendingEvents, 3)
  topics.answer('ready')
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, texts(3))
  assert.equal(lane?.problem, undefined)
})

test('a topic that cannot be created does not hold up another', async t => {
  const topics = new Topics()
  const harness = await DeliveryHarness.start(t, { ensureTopic: topics.ensure })
  harness.accept(['bad'], 'refused')
  harness.accept(['good'], 'fine')
  await harness.burst()
  topics.answer({ refused: REFUSED })
  topics.answer('ready')
  await harness.burst()
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, ['good'])
  assert.equal(harness.store.pendingEvents, 1)
})

for (const [code, name] of [
  [3, 'UNKNOWN_TOPIC_OR_PART'],
  [-188, '_UNKNOWN_TOPIC'],
  [-190, '_UNKNOWN_PARTITION']
] as const) {
  test(`${name}: the topic may have been deleted, and is made anew before its events are sent again`, async t => {
    const topics = new Topics()
    const harness = await DeliveryHarness.start(t, { ensureTopic: topics.ensure })
    harness.accept(texts(2))
    await harness.burst()
    topics.answer('ready')
    await harness.burst()
    harness.producer.reportAll(kafkaError(code))
    await harness.pass(1000)
    assert.equal(topics.asked.length, 2)
    assert.equal(harness.sent.length, 2)
    topics.answer('ready')
    await harness.burst()
    assert.deepEqual(harness.sent, [...texts(2), ...texts(2)])
    harness.producer.reportAll()
    await harness.burst()
    harness.assertConserved()
    assert.equal(harness.store.pendingEvents, 0)
  })
}

test('where topics are not created, records just go, also after the topic was gone', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['x'])
  await harness.burst()
  harness.producer.reportAll(kafkaError(3))
  await harness.pass(300)
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, ['x'])
})

test('an answer that comes after the stop changes nothing', async t => {
  const topics = new Topics()
  const harness = await DeliveryHarness.start(t, { ensureTopic: topics.ensure })
  harness.accept(['x'])
  await harness.burst()
  const { producer } = harness
  await harness.delivery.stop()
  topics.answer({ refused: REFUSED })
  await harness.pass(1000)
  assert.deepEqual(harness.failedTopics, [])
  assert.deepEqual(producer.sent, [])
})
