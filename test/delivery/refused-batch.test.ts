import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts } from './harness.ts'

const TOO_LARGE = kafkaError(10)

/**
 * Answers everything in flight as the one batch that a broker may see.
 * @param refuses the error for a batch of these texts
 * @returns how many batches it took until nothing came any more
 */
async function actAsBroker(
  harness: DeliveryHarness,
  refuses: (batch: readonly string[]) => ReturnType<typeof kafkaError> | undefined
): Promise<number> {
  let batches = 0
  for (; harness.producer.unreported.length > 0; batches++) {
    assert.ok(batches < 2000, 'comes to an end')
    harness.producer.reportAll(refuses(harness.producer.unreported.map(({ text }) => text)))
    await harness.burst()
  }
  return batches
}

function refusesAny(guilty: ReadonlySet<string>, code = 10) {
  return (batch: readonly string[]): ReturnType<typeof kafkaError> | undefined =>
    batch.some(text => guilty.has(text)) ? kafkaError(code) : undefined
}

test('code 10 for a whole batch: only the guilty record is given up, all others are delivered in order', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(200))
  await harness.burst()
  const batches = await actAsBroker(harness, refusesAny(new Set(['77'])))
  assert.deepEqual(harness.deadLettered, [['77', 'record_too_large']])
  assert.deepEqual(
    harness.delivered,
    texts(200).filter(text => text !== '77')
  )
  harness.assertConserved()
  assert.ok(batches < 40, `halving finds one of 200 in few batches, not one by one: ${batches}`)
})

for (const [code, reason] of [
  [18, 'record_too_large'],
  [32, 'invalid_record'],
  [43, 'invalid_record'],
  [87, 'invalid_record']
] as const) {
  test(`code ${code}: refused in a batch of its own, a record is given up as ${reason}`, async t => {
    const harness = await DeliveryHarness.start(t)
    harness.accept(['good', 'bad', 'fine'])
    await harness.burst()
    await actAsBroker(harness, refusesAny(new Set(['bad']), code))
    assert.deepEqual(harness.deadLettered, [['bad', reason]])
    assert.deepEqual(harness.delivered, ['good', 'fine'])
  })
}

test('a single record that is refused at once was not alone for certain: it is tried again before it is given up', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['only'])
  await harness.burst()
  harness.producer.reportAll(TOO_LARGE)
  await harness.burst()
  assert.deepEqual(harness.deadLettered, [])
  assert.deepEqual(harness.sent, ['only', 'only'])
  harness.producer.reportAll(TOO_LARGE)
  await harness.burst()
  assert.deepEqual(harness.deadLettered, [['only', 'record_too_large']])
})

test('a record that librdkafka itself finds too large is given up at once, and those around it arrive', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.producer.refuse = text => (text === '1' ? TOO_LARGE : undefined)
  harness.accept(texts(3))
  await harness.burst()
  assert.deepEqual(harness.deadLettered, [['1', 'record_too_large']])
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, ['0', '2'])
  harness.assertConserved()
})

test('after a refusal nothing is sent until all that was in flight is reported, and other topics go on meanwhile', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(3))
  await harness.burst()
  harness.producer.report(1, TOO_LARGE)
  harness.accept(['later'])
  harness.accept(['other'], 'other-topic')
  await harness.burst()
  assert.deepEqual(harness.sent, [...texts(3), 'other'])
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.sent, [...texts(3), 'other', '0'])
})

test('a suspect that fails for another reason is tried again', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(['suspect', 'next'])
  await harness.burst()
  harness.producer.report(1, TOO_LARGE)
  harness.producer.report(1)
  await harness.burst()
  harness.producer.reportAll(kafkaError(7))
  await harness.pass(300)
  assert.equal(harness.producer.unreported.length, 1)
  assert.deepEqual(harness.deadLettered, [])
  harness.producer.reportAll()
  await harness.burst()
  assert.deepEqual(harness.delivered, ['next', 'suspect'])
})

test('many guilty ones in one batch are all given up, and nothing else', async t => {
  const harness = await DeliveryHarness.start(t)
  const guilty = new Set(texts(30).filter((_, i) => i % 3 === 0))
  harness.accept(texts(30))
  await harness.burst()
  await actAsBroker(harness, refusesAny(guilty, 87))
  assert.deepEqual(new Set(harness.deadLettered.map(([text]) => text)), guilty)
  assert.equal(harness.delivered.length, 20)
  harness.assertConserved()
})

test('regression: a topic with a small limit is served in batches of that limit, not record by record', async t => {
  const harness = await DeliveryHarness.start(t)
  const limit = 40
  harness.accept(texts(2000))
  await harness.burst()
  const batches = await actAsBroker(harness, batch => (batch.length > limit ? TOO_LARGE : undefined))
  assert.equal(harness.delivered.length, 2000)
  assert.deepEqual(harness.deadLettered, [])
  assert.ok(batches < 250, `2000 records of which 40 fit into a batch took ${batches}`)
})

test('once batches are taken again, sending is as before', async t => {
  const harness = await DeliveryHarness.start(t)
  harness.accept(texts(10))
  await harness.burst()
  await actAsBroker(harness, refusesAny(new Set(['3']), 87))
  harness.accept(texts(1500, 'more'))
  await harness.burst()
  await actAsBroker(harness, () => undefined)
  const before = harness.producer.sent.length
  harness.accept(texts(200, 'last'))
  await harness.burst()
  harness.accept(texts(10, 'and'))
  await harness.burst()
  assert.equal(harness.producer.sent.length, before + 210, 'more goes out while something is in flight')
  assert.equal(harness.deadLettered.length, 1)
})
