import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicCreator } from '../../sidecar/kafka/topics.ts'
import { kafkaError } from '../delivery/fake-producer.ts'

const unreachable = { global: { 'bootstrap.servers': '127.0.0.1:1' }, topic: {} }
const settings = { partitions: 1, replicationFactor: 1 }

test('a topic that exists is not created', async () => {
  const ensure = topicCreator(unreachable, settings)
  assert.equal(await ensure('there', () => Promise.resolve(true)), 'ready')
})

test('where nobody answers, nothing is created, and the error is told', async () => {
  const ensure = topicCreator(unreachable, settings)
  const error = kafkaError(-185)
  assert.deepEqual(await ensure('unknown', () => Promise.resolve(error)), { unanswered: error })
})

test('topics are looked at one at a time', async () => {
  const ensure = topicCreator(unreachable, settings)
  let atOnce = 0
  let most = 0
  const exists = async (): Promise<boolean> => {
    most = Math.max(most, ++atOnce)
    await new Promise(resolve => setTimeout(resolve, 5))
    atOnce--
    return true
  }
  await Promise.all(['a', 'b', 'c'].map(topic => ensure(topic, exists)))
  assert.equal(most, 1)
})

test('regression: a question that fails is an error of its own, and the next topic is looked at all the same', async () => {
  const ensure = topicCreator(unreachable, settings)
  const outcome = await ensure('a', () => Promise.reject(new Error('the client is gone')))
  assert.deepEqual(outcome, { refused: { code: -1, name: 'unknown', message: 'the client is gone' } })
  assert.equal(await ensure('b', () => Promise.resolve(true)), 'ready')
})

test('properties that no admin client takes are an error, not a fault', async () => {
  const ensure = topicCreator({ global: { 'no.such.property': 1 }, topic: {} }, settings)
  const outcome = await ensure('a', () => Promise.resolve(false))
  assert.ok(typeof outcome === 'object' && 'refused' in outcome)
  assert.match(outcome.refused.message, /no\.such\.property/i)
})
