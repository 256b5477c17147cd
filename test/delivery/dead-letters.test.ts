import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts, type HarnessOptions } from './harness.ts'

const TOO_LARGE = kafkaError(10)

/** A delivery whose dead letters answer when a test says so, with these events, of which those are too large. */
async function refused(
  t: TestContext,
  accepted: readonly string[],
  guilty: readonly string[],
  options: HarnessOptions = {}
): Promise<DeliveryHarness> {
  const harness = await DeliveryHarness.start(t, options)
  harness.keepsDeadLetters = undefined
  harness.producer.refuse = text => (guilty.includes(text) ? TOO_LARGE : undefined)
  harness.accept(accepted)
  await harness.burst()
  return harness
}

describe('an event that is refused for good', () => {
  test('is pending until the dead letters have it, and counts as one of them then', async t => {
    const harness = await refused(t, ['bad'], ['bad'])
    assert.deepEqual(
      harness.deadLetters.map(({ stored, refusal }) => [stored.event.data.toString(), refusal]),
      [['bad', { reason: 'record_too_large', error: TOO_LARGE }]]
    )
    assert.equal(harness.store.pendingEvents, 1)
    assert.deepEqual(harness.deadLettered, [])
    await harness.pass(60_000)
    assert.equal(harness.store.pendingEvents, 1)
    assert.equal(harness.deadLetters.length, 1, 'it is handed over once')
    harness.answerDeadLetter(true)
    assert.deepEqual(harness.deadLettered, [['bad', 'record_too_large']])
    assert.deepEqual(harness.dropped, [])
    assert.equal(harness.store.pendingEvents, 0)
    harness.assertConserved()
  })

  test('is dropped when they cannot have it', async t => {
    const harness = await refused(t, ['bad'], ['bad'])
    harness.answerDeadLetter(false)
    assert.deepEqual(harness.dropped, [['bad', 'record_too_large']])
    assert.deepEqual(harness.deadLettered, [])
    assert.equal(harness.store.pendingEvents, 0)
    harness.assertConserved()
  })

  test('says what Kafka said; and nothing of Kafka where no record could be made', async t => {
    const harness = await DeliveryHarness.start(t, {
      buildRecord: () => {
        throw new RangeError('no such record')
      }
    })
    harness.keepsDeadLetters = undefined
    harness.accept(['x'])
    await harness.burst()
    assert.deepEqual(harness.deadLetters[0]?.refusal, { reason: 'internal_error', error: undefined })
    harness.answerDeadLetter(true)
    assert.deepEqual(harness.deadLettered, [['x', 'internal_error']])
  })

  test('meanwhile holds up nothing of its topic, and takes no room in the window', async t => {
    const harness = await refused(t, ['bad', ...texts(30)], ['bad'], { inFlightMaxRecords: 2 })
    for (let i = 0; i < 40; i++) {
      harness.producer.reportAll()
      await harness.burst()
    }
    assert.deepEqual(harness.delivered, texts(30))
    assert.equal(harness.delivery.inFlightRecords, 0)
    assert.equal(harness.store.pendingEvents, 1)
    harness.answerDeadLetter(true)
    harness.assertConserved()
  })

  test('is not sent again, neither by the next producer nor after a failure of its topic', async t => {
    const harness = await refused(t, ['bad', 'good'], ['bad'])
    harness.producer.reportAll(kafkaError(7))
    await harness.pass(500)
    harness.producer.fatal()
    await harness.pass(1000)
    assert.deepEqual(harness.sent, ['good'])
    assert.equal(harness.deadLetters.length, 1)
    harness.producer.reportAll()
    await harness.burst()
    harness.answerDeadLetter(true)
    harness.assertConserved()
    assert.equal(harness.store.pendingEvents, 0)
  })

  test('ends once, however often the dead letters answer', async t => {
    const harness = await refused(t, ['bad', 'next'], ['bad'])
    const letter = harness.answerDeadLetter(true)
    letter.done(true)
    letter.done(false)
    assert.equal(harness.store.pendingEvents, 1)
    assert.deepEqual(harness.dropped, [])
    harness.assertConserved()
  })

  test('stays pending when the answer comes after the stop', async t => {
    const harness = await refused(t, ['bad'], ['bad'])
    await harness.delivery.stop()
    harness.answerDeadLetter(true)
    assert.equal(harness.store.pendingEvents, 1)
    assert.deepEqual([...harness.deadLettered, ...harness.dropped], [])
  })
})

describe('dead letters that are not kept for a while', () => {
  const large = (text: string): string => text.padEnd(10_000)

  test('make their topic wait when they are a quarter of what may be in flight, and others go on', async t => {
    const accepted = texts(100).map(large)
    const harness = await refused(t, accepted, accepted, { inFlightMaxBytes: 200_000 })
    harness.accept(['fine'], 'other-topic')
    await harness.pass(5000)
    assert.ok(harness.deadLetters.length >= 5 && harness.deadLetters.length <= 7, `${harness.deadLetters.length} wait`)
    assert.deepEqual(harness.sent, ['fine'])
    harness.producer.reportAll()
    await harness.burst()
    assert.deepEqual(harness.delivered, ['fine'])
    for (let i = 0; i < 100; i++) {
      harness.answerDeadLetter(true)
      await harness.burst()
    }
    assert.equal(harness.store.pendingEvents, 0)
    harness.assertConserved()
  })

  test('count no more once they are kept, however many they were, and whatever else is not', async t => {
    const accepted = texts(100).map(large)
    const harness = await refused(t, accepted, accepted, { inFlightMaxBytes: 200_000 })
    // The first one is never answered for.
    for (let i = 0; i < 200 && harness.deadLetters.length > 1; i++) {
      harness.answerDeadLetter(true, 1)
      await harness.burst()
    }
    assert.equal(harness.deadLettered.length, 99)
    harness.assertConserved()
  })

  test('make only their own topic wait, and not one whose dead letters were kept', async t => {
    const accepted = texts(100).map(large)
    const harness = await refused(t, accepted, [...accepted, 'bad'], { inFlightMaxBytes: 200_000 })
    harness.accept(['bad', 'good'], 'other-topic')
    await harness.burst()
    harness.answerDeadLetter(true, harness.deadLetters.length - 1)
    assert.deepEqual(harness.deadLettered, [['bad', 'record_too_large']])
    harness.accept(['better'], 'other-topic')
    await harness.burst()
    assert.deepEqual(new Set(harness.sent), new Set(['good', 'better']))
  })

  test('nor can events of which no record can be made be taken without end', async t => {
    const harness = await DeliveryHarness.start(t, {
      inFlightMaxBytes: 200_000,
      buildRecord: () => {
        throw new RangeError('no such record')
      }
    })
    harness.keepsDeadLetters = undefined
    harness.accept(texts(100).map(large))
    await harness.pass(1000)
    assert.ok(harness.deadLetters.length <= 7, `${harness.deadLetters.length} wait`)
    harness.keepsDeadLetters = true
    while (harness.deadLetters.length > 0) harness.answerDeadLetter(true)
    await harness.burst()
    assert.equal(harness.deadLettered.length, 100)
    harness.assertConserved()
  })
})
