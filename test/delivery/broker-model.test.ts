import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kafkaError, type Sent } from './fake-producer.ts'
import { DeliveryHarness } from './harness.ts'

const PARTITIONS = 3
const bytesOf = ({ text }: Pick<Sent, 'text'>): number => text.length
const numberOf = (text: string): number => Number(text.split(' ')[0])

/** What is in flight as librdkafka batches it: by partition, cut somewhere. */
function batchesOf(sent: readonly Sent[], size: number): Sent[][] {
  const batches: Sent[][] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = sent.filter(({ text }) => numberOf(text) % PARTITIONS === partition)
    for (let i = 0; i < records.length; i += size) batches.push(records.slice(i, i + size))
  }
  return batches
}

const broker = fc.record({
  /** What the topic takes in one batch. */
  limit: fc.integer({ min: 200, max: 5000 }),
  /** Every so many-th record is invalid whatever its size; 0: none. */
  invalidEvery: fc.constantFrom(0, 0, 5, 17),
  sizes: fc.array(fc.integer({ min: 10, max: 6000 }), { minLength: 1, maxLength: 60 }),
  batchSize: fc.integer({ min: 1, max: 40 }),
  /** What happens beside, turn by turn: all goes well, a batch times out, the producer dies, more events come. */
  turns: fc.array(fc.constantFrom('well', 'well', 'time-out', 'fatal', 'accept'), { maxLength: 20 })
})

test('a broker that judges batches: exactly those records are given up that it would not take alone', async t => {
  await fc.assert(
    fc.asyncProperty(broker, async ({ limit, invalidEvery, sizes, batchSize, turns }) => {
      const harness = await DeliveryHarness.start(t, { inFlightMaxRecords: 80 })
      const invalid = (text: string): boolean => invalidEvery > 0 && numberOf(text) % invalidEvery === 1
      const all: string[] = []
      const accept = (): void => {
        const texts = sizes.map((size, i) => `${all.length + i} `.padEnd(size))
        all.push(...texts)
        harness.accept(texts)
      }
      const answer = (batch: readonly Sent[], timeOut: boolean): void => {
        const mine = new Set(batch)
        const size = batch.reduce((sum, sent) => sum + bytesOf(sent), 0)
        const code = timeOut ? 7 : size > limit ? 10 : batch.some(({ text }) => invalid(text)) ? 87 : undefined
        harness.producer.reportWhere(sent => mine.has(sent), code === undefined ? undefined : kafkaError(code))
      }
      try {
        accept()
        for (let turn = 0; turn < turns.length || harness.store.pendingEvents > 0; turn++) {
          assert.ok(turn < 3000, 'comes to an end')
          await harness.pass(4, 2)
          const what = turns[turn] ?? 'well'
          if (what === 'accept') accept()
          if (what === 'fatal') harness.producer.fatal()
          // Each turn some of the batches are answered, and others are still on their way.
          for (const [i, batch] of batchesOf(harness.producer.unreported, batchSize).entries()) {
            if (turn >= turns.length || (i + turn) % 3 !== 0) answer(batch, what === 'time-out')
          }
          if (turn >= turns.length) await harness.pass(200, 20)
        }
        const guilty = all.filter(text => text.length > limit || invalid(text))
        assert.deepEqual(
          harness.deadLettered.map(([text]) => numberOf(text)).sort((a, b) => a - b),
          guilty.map(numberOf)
        )
        harness.assertConserved()
      } finally {
        await harness.delivery.stop()
        t.mock.timers.reset()
      }
    }),
    { numRuns: 150 }
  )
})
