import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { EventSender, makeEvent, makeEvents, numbersIn } from '../support/events.ts'
import { type Kafka, KafkaCluster, openKafka, withoutKafka, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Metrics, SidecarProcess, total } from '../support/sidecar-process.ts'

const topicLimit = 8000
const big = 20_000

describe('an event that the topic’s max.message.bytes does not admit', { skip: withoutKafka, timeout: 120_000 }, () => {
  let kafka: Kafka
  before(async () => {
    kafka = await openKafka()
  })
  after(() => kafka.close())

  test('is set aside by itself, counted and logged; the events around it arrive', async t => {
    const topic = kafka.newTopicName('oversize')
    await kafka.createTopic(topic, { config: { 'max.message.bytes': String(topicLimit) } })
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: kafka.bootstrap,
      KAFKA_TOPIC: topic,
      // The refused batches are to hold many.
      KAFKA_CONFIG_LINGER_MS: '20'
    })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    // Each is well below the limit, together they are far above it: the broker refuses batches, not records.
    const small = makeEvents(200, { bytes: 500 })
    const events = [...small.slice(0, 100), makeEvent(1000, { bytes: big }), ...small.slice(100)]
    const { accepted, refused } = await sender.sendAll(events)
    assert.deepEqual([...refused], [])
    accepted.delete(1000)

    const records = await kafka.consume(topic, { atLeast: small.length })
    const { numbers } = numbersIn(records, () => 500)
    assert.deepEqual(numbers, accepted)
    const metrics = await sidecar.waitFor(
      'nothing is pending',
      found => found.get('inference_logger_events_pending') === 0
    )
    assert.equal(metrics.get('inference_logger_events_dead_lettered_total{reason="record_too_large"}'), 1)
    assert.equal(total(metrics, 'inference_logger_events_dead_lettered_total'), 1)
    assert.equal(total(metrics, 'inference_logger_events_dropped_total'), 0)
    assert.equal(total(metrics, 'inference_logger_events_delivered_total'), small.length)
    assert.ok(sidecar.logs.some(line => /warn|error/.test(line.level) && JSON.stringify(line).includes(topic)))
  })

  test('is set aside also when it is alone, and events go on flowing', async t => {
    const topic = kafka.newTopicName('oversize-alone')
    await kafka.createTopic(topic, { config: { 'max.message.bytes': String(topicLimit) } })
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap, KAFKA_TOPIC: topic })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    assert.equal(await sender.send(makeEvent(0, { bytes: big })), 200)
    await sidecar.waitFor(
      'it is set aside',
      metrics => total(metrics, 'inference_logger_events_dead_lettered_total') === 1
    )
    assert.equal(await sender.send(makeEvent(1)), 200)
    assert.deepEqual(numbersIn(await kafka.consume(topic, { atLeast: 1 })).numbers, new Set([1]))
  })
})

describe('a topic whose max.message.bytes is smaller than a batch', { skip: withoutOwnKafka, timeout: 60_000 }, () => {
  test('takes a backlog of small events at the pace of batches, not of single records', async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('small-limit', { config: { 'max.message.bytes': '20000' } })
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: cluster.bootstrap, KAFKA_TOPIC: 'small-limit' })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    // The backlog of a short outage, in which a batch within the limit holds about thirty events. One round trip for
    // each event takes longer than new events take to come, and the queue would grow without end.
    cluster.pause(0)
    const { accepted } = await sender.sendAll(makeEvents(3000, { bytes: 500 }))
    cluster.resume(0)
    const isDone = (metrics: Metrics): boolean => metrics.get('inference_logger_events_pending') === 0
    const metrics = await sidecar.waitFor('3000 small events are delivered', isDone, 8000)
    assert.equal(total(metrics, 'inference_logger_events_dropped_total'), 0)
    assert.deepEqual(numbersIn(await cluster.consume('small-limit'), () => 500).numbers, accepted)
  })
})
