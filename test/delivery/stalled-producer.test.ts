import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Delivery, type InFlight } from '../../sidecar/delivery/delivery.ts'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import { KafkaProducer } from '../../sidecar/kafka/producer.ts'
import { producerProperties } from '../../sidecar/kafka/properties.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { SwallowingProxy } from './swallowing-proxy.ts'
import { texts } from './harness.ts'

test('librdkafka: records that do not arrive although the broker answers are sent again by a new producer', async t => {
  const cluster = await MockCluster.start(t)
  await cluster.createTopic('events')
  const proxy = await SwallowingProxy.start(t, cluster.port)
  const properties = producerProperties({
    brokers: `127.0.0.1:${proxy.port}`,
    user: { global: {}, topic: {} },
    maxEventBytes: 1_000_000,
    inFlightMaxRecords: 1000,
    createTopics: true,
    clientId: 'a-test'
  })
  const store = new MemoryStore(1024 ** 2)
  const delivered: string[] = []
  const rebuilds: [error: KafkaError, inFlight: number][] = []
  const delivery = new Delivery({
    store,
    observer: {
      delivered: ({ event }) => void delivered.push(event.data.toString()),
      deadLettered: () => assert.fail('nothing is wrong with the records'),
      dropped: () => assert.fail('nothing is wrong with the records'),
      unbuildable: (_stored, error) => assert.fail(String(error)),
      attemptFailed: () => {},
      topicFailed: () => {},
      rebuilding: (error, inFlight) => {
        rebuilds.push([error, inFlight])
        // What was wrong ends with the client that suffered from it.
        proxy.swallows = false
      }
    },
    buildRecord: ({ event, topic }) => ({ topic, key: null, value: event.data, headers: [] }),
    createProducer: callbacks =>
      KafkaProducer.start<InFlight>(properties, {
        onReport: callbacks.onReport,
        onError: () => {},
        onLog: () => {},
        onStatistics: () => {}
      }),
    ensureTopic: undefined,
    deadLetter: (_stored, _refusal, done) => done(false),
    inFlightMaxBytes: 1024 ** 2,
    inFlightMaxRecords: 1000,
    stallTimeoutMs: 1500
  })
  await delivery.start()
  t.after(() => delivery.stop())
  for (const text of texts(20)) {
    const event = { attributes: [], data: Buffer.from(text) }
    store.append([{ event, topic: 'events', receivedAt: Date.now() }], () => {})
  }
  for (let waited = 0; delivered.length < 20; waited += 20) {
    assert.ok(waited < 15_000, `${delivered.length} delivered, ${proxy.swallowed} requests swallowed`)
    await sleep(20)
  }
  assert.ok(proxy.swallowed > 0)
  assert.equal(rebuilds.length, 1)
  assert.match(rebuilds[0]?.[0].message ?? '', /^no delivery report for \d+ s although Kafka answers$/)
  assert.equal(rebuilds[0]?.[1], 20)
  assert.equal(store.pendingEvents, 0)
  const values = (await cluster.consume('events', 20)).map(({ value }) => String(value))
  assert.deepEqual(new Set(values), new Set(texts(20)))
})
