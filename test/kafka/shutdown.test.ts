import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSender, makeEvents, numbersIn } from '../support/events.ts'
import { freePorts, type Kafka, openKafka, withoutKafka } from '../support/kafka/index.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'

describe('SIGTERM', { skip: withoutKafka, timeout: 60_000 }, () => {
  test('with Kafka up: events are still taken, all of them are delivered, and the exit is 0', async t => {
    const kafka: Kafka = await openKafka()
    t.after(() => kafka.close())
    const topic = kafka.newTopicName('drained')
    await kafka.createTopic(topic, { partitions: 3 })
    const sidecar = await SidecarProcess.start({
      KAFKA_BROKERS: kafka.bootstrap,
      KAFKA_TOPIC: topic,
      INFERENCE_LOGGER_DRAIN_IDLE: '500ms',
      // Records are still on their way when the signal comes.
      KAFKA_CONFIG_LINGER_MS: '200'
    })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const sending = sender.sendAll(makeEvents(1000), { paceMs: 2 })
    await new Promise(resolve => setTimeout(resolve, 300))
    sidecar.signal('SIGTERM')
    const { accepted, refused } = await sending
    assert.deepEqual([...refused], [], 'KServe’s agent goes on sending after the signal')
    const signalled = performance.now()
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null })
    assert.ok(performance.now() - signalled < 5000, 'the exit comes soon after the last event')
    assert.deepEqual(numbersIn(await kafka.consume(topic, { atLeast: accepted.size })), { numbers: accepted, twice: 0 })
    assert.equal(sidecar.stderr, '')
  })

  test('with Kafka away: the log says how many were not delivered, and the exit is 1 within the grace period', async t => {
    const sidecar = await startWithoutKafka('3s')
    t.after(() => sidecar.close())
    await send(sidecar, 37)
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    assert.deepEqual(await sidecar.exited, { code: 1, signal: null })
    const took = performance.now() - signalled
    assert.ok(took > 2000 && took < 4500, `took ${took} ms of a grace period of 3 s`)
    const last = sidecar.logs.filter(({ level }) => /warn|error/.test(level)).map(line => JSON.stringify(line))
    assert.ok(
      last.some(line => /\b37\b/.test(line) && /deliver/i.test(line)),
      last.join('\n')
    )
  })

  test('with nothing to deliver: the exit is 0 soon, Kafka or not', async t => {
    const sidecar = await startWithoutKafka('20s')
    t.after(() => sidecar.close())
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null })
    assert.ok(performance.now() - signalled < 3000)
  })

  test('a second time: the exit is at once, and not 0 when events are lost by it', async t => {
    const sidecar = await startWithoutKafka('30s')
    t.after(() => sidecar.close())
    await send(sidecar, 10)
    sidecar.signal('SIGTERM')
    await new Promise(resolve => setTimeout(resolve, 500))
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    const { code, signal } = await sidecar.exited
    assert.ok(performance.now() - signalled < 1000, `took ${performance.now() - signalled} ms`)
    assert.notDeepEqual({ code, signal }, { code: 0, signal: null })
  })
})

async function startWithoutKafka(gracePeriod: string): Promise<SidecarProcess> {
  const [port] = await freePorts(1)
  return SidecarProcess.start({
    KAFKA_BROKERS: `127.0.0.1:${port}`,
    KAFKA_TOPIC: 'unreachable',
    INFERENCE_LOGGER_GRACE_PERIOD: gracePeriod,
    INFERENCE_LOGGER_DRAIN_IDLE: '200ms'
  })
}

async function send(sidecar: SidecarProcess, count: number): Promise<void> {
  const sender = new EventSender(sidecar.url)
  try {
    assert.equal((await sender.sendAll(makeEvents(count))).accepted.size, count)
  } finally {
    sender.close()
  }
}
