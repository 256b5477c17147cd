import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSender, makeEvents, numbersIn } from '../support/events.ts'
import { freePorts, KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { SidecarProcess, total } from '../support/sidecar-process.ts'

describe('every event that was answered 200 arrives', { skip: withoutOwnKafka, timeout: 150_000 }, () => {
  test('when Kafka is absent at the start and comes later', async t => {
    const cluster = await KafkaCluster.prepare()
    t.after(() => cluster.close())
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: cluster.bootstrap, KAFKA_TOPIC: 'late' })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const { accepted, refused } = await sender.sendAll(makeEvents(500))
    assert.deepEqual([...refused], [])
    assert.equal((await sidecar.get('/readyz')).status, 200, 'Kafka being away does not make the pod unready')
    // Longer than librdkafka's patience with topics and brokers that it has not seen.
    await new Promise(resolve => setTimeout(resolve, 3000))
    assert.equal((await sidecar.metrics()).get('inference_logger_events_pending'), 500)

    await cluster.startAll()
    const records = await cluster.consume('late', { atLeast: 500 })
    assert.deepEqual(numbersIn(records), { numbers: accepted, twice: 0 })
    await sidecar.waitFor('nothing is pending', metrics => metrics.get('inference_logger_events_pending') === 0)
  })

  test('when Kafka is stopped under load and comes back on other ports', async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('moved', { partitions: 2 })
    const [port = 0] = await freePorts(1)
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: `${cluster.bootstrap},127.0.0.1:${port}`,
      KAFKA_TOPIC: 'moved'
    })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const sending = sender.sendAll(makeEvents(2500), { paceMs: 8 })
    await sidecar.waitFor(
      'some are delivered',
      metrics => total(metrics, 'inference_logger_events_delivered_total') > 200
    )
    await cluster.stopBroker(0)
    const { accepted, refused } = await sending
    assert.deepEqual([...refused], [])
    await sidecar.waitFor('some wait', metrics => (metrics.get('inference_logger_events_pending') ?? 0) > 100)
    await cluster.startBroker(0, { port })

    const records = await cluster.consume('moved', { atLeast: accepted.size, timeoutMs: 45_000 })
    assert.deepEqual(numbersIn(records).numbers, accepted)
    await sidecar.waitFor('nothing is pending', metrics => metrics.get('inference_logger_events_pending') === 0)
  })

  test('when Kafka hangs under load: connections stay open and nobody answers', async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('hung')
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: cluster.bootstrap, KAFKA_TOPIC: 'hung' })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const sending = sender.sendAll(makeEvents(2000), { paceMs: 8 })
    await sidecar.waitFor(
      'some are delivered',
      metrics => total(metrics, 'inference_logger_events_delivered_total') > 200
    )
    cluster.pause(0)
    const { accepted, refused } = await sending
    assert.deepEqual([...refused], [])
    await new Promise(resolve => setTimeout(resolve, 2000))
    cluster.resume(0)

    const records = await cluster.consume('hung', { atLeast: accepted.size })
    assert.deepEqual(numbersIn(records), { numbers: accepted, twice: 0 })
    await sidecar.waitFor('nothing is pending', metrics => metrics.get('inference_logger_events_pending') === 0)
  })
})
