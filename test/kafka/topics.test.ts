import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { EventSender, makeEvents, numbersIn } from '../support/events.ts'
import { type Kafka, KafkaCluster, openKafka, withoutKafka, withoutOwnKafka } from '../support/kafka/index.ts'
import { type LogLine, SidecarProcess, total } from '../support/sidecar-process.ts'

describe('a topic that is missing', { skip: withoutKafka, timeout: 120_000 }, () => {
  let kafka: Kafka
  before(async () => {
    kafka = await openKafka()
  })
  after(() => kafka.close())

  test('is created with the partitions and replicas that were asked for', async t => {
    const topic = kafka.newTopicName('created')
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: kafka.bootstrap,
      KAFKA_TOPIC: topic,
      KAFKA_TOPIC_PARTITIONS: '3',
      KAFKA_TOPIC_REPLICATION_FACTOR: '1'
    })
    t.after(() => sidecar.close())
    const accepted = await send(sidecar, 100)
    const records = await kafka.consume(topic, { atLeast: accepted.size })
    assert.deepEqual(numbersIn(records), { numbers: accepted, twice: 0 })
    const { partitions } = await kafka.waitForTopic(topic)
    assert.deepEqual(
      partitions.map(({ replicas }) => replicas.length),
      [1, 1, 1]
    )
  })

  test('is named after the inference service of each event', async t => {
    const services = [0, 1, 2].map(number => kafka.newTopicName(`service-${number}`))
    const topics = services.map(service => `${service}-inference-topic`)
    t.after(() => Promise.all(topics.map(topic => kafka.deleteTopic(topic))))
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap })
    t.after(() => sidecar.close())
    for (const service of services) await send(sidecar, 20, service)
    for (const topic of topics) {
      const records = await kafka.consume(topic, { atLeast: 20 })
      assert.equal(numbersIn(records).numbers.size, 20)
    }
  })

  test('and that others create is waited for when INFERENCE_LOGGER_CREATE_TOPICS=false', async t => {
    const topic = kafka.newTopicName('made-by-others')
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: kafka.bootstrap,
      KAFKA_TOPIC: topic,
      INFERENCE_LOGGER_CREATE_TOPICS: 'false'
    })
    t.after(() => sidecar.close())
    const accepted = await send(sidecar, 20)
    await new Promise(resolve => setTimeout(resolve, 2000))
    assert.equal(await kafka.describeTopic(topic), null)
    await kafka.createTopic(topic)
    assert.deepEqual(numbersIn(await kafka.consume(topic, { atLeast: 20 })).numbers, accepted)
  })
})

describe('a topic that cannot be created', { skip: withoutOwnKafka, timeout: 120_000 }, () => {
  test('holds up its own events and no others, says what to do, and loses nothing', async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('there-inference-topic')
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: cluster.bootstrap,
      KAFKA_TOPIC: '{inferenceservicename}-inference-topic',
      KAFKA_TOPIC_REPLICATION_FACTOR: '5'
    })
    t.after(() => sidecar.close())

    const waiting = await send(sidecar, 50, 'missing')
    const line = await sidecar.waitForLog(isAboutMissingTopic, 'an error line that names the topic')
    const text = JSON.stringify(line)
    assert.match(text, /replication/i, 'the reason')
    assert.match(text, /KAFKA_TOPIC_REPLICATION_FACTOR/, 'what to do')
    assert.match(JSON.stringify(await sidecar.status()), /missing-inference-topic/)

    const flowing = await send(sidecar, 50, 'there')
    const records = await cluster.consume('there-inference-topic', { atLeast: 50 })
    assert.deepEqual(numbersIn(records), { numbers: flowing, twice: 0 })
    const metrics = await sidecar.waitFor('the other topic’s events are delivered', isDelivered(50))
    assert.equal(metrics.get('inference_logger_events_pending'), 50)

    await cluster.createTopic('missing-inference-topic')
    const arrived = await cluster.consume('missing-inference-topic', { atLeast: 50 })
    assert.deepEqual(numbersIn(arrived), { numbers: waiting, twice: 0 })
    const settled = await sidecar.waitFor('everything is delivered', isDelivered(100))
    assert.equal(settled.get('inference_logger_events_pending'), 0)
    assert.ok(sidecar.logs.filter(isAboutMissingTopic).length <= 3, 'one trouble is one line, not one a try')
  })
})

function isAboutMissingTopic(line: LogLine): boolean {
  return line.level === 'error' && JSON.stringify(line).includes('missing-inference-topic')
}

function isDelivered(count: number) {
  return (metrics: Map<string, number>): boolean => total(metrics, 'inference_logger_events_delivered_total') === count
}

async function send(sidecar: SidecarProcess, count: number, service?: string): Promise<Set<number>> {
  const sender = new EventSender(sidecar.url)
  try {
    const { accepted, refused } = await sender.sendAll(makeEvents(count, service === undefined ? {} : { service }))
    assert.deepEqual([...refused], [])
    return accepted
  } finally {
    sender.close()
  }
}
