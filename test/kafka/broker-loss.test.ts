import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventSender, makeEvents, numbersIn } from '../support/events.ts'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { SidecarProcess, total } from '../support/sidecar-process.ts'

test(
  'with three brokers and one SIGKILLed under load every event that was answered 200 arrives',
  { skip: withoutOwnKafka, timeout: 150_000 },
  async t => {
    const cluster = await KafkaCluster.start({ brokers: 3 })
    t.after(() => cluster.close())
    const config = { 'min.insync.replicas': '2' }
    await cluster.createTopic('replicated', { partitions: 3, replication: 3, config })
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: cluster.bootstrap, KAFKA_TOPIC: 'replicated' })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const sending = sender.sendAll(makeEvents(6000), { paceMs: 5 })
    await sidecar.waitFor(
      'some are delivered',
      metrics => total(metrics, 'inference_logger_events_delivered_total') > 300
    )
    const leader = await cluster.leaderOf('replicated', 0)
    assert.ok(leader !== undefined)
    await cluster.kill(leader)
    const { accepted, refused } = await sending
    assert.deepEqual([...refused], [], 'two of three brokers are enough')

    const records = await cluster.consume('replicated', { atLeast: accepted.size, timeoutMs: 60_000 })
    const { numbers, twice } = numbersIn(records)
    assert.deepEqual(numbers, accepted)
    t.diagnostic(`${accepted.size} accepted, ${twice} of them delivered twice`)
    const metrics = await sidecar.waitFor(
      'nothing is pending',
      found => found.get('inference_logger_events_pending') === 0
    )
    assert.equal(total(metrics, 'inference_logger_events_delivered_total'), accepted.size)
    assert.equal(total(metrics, 'inference_logger_events_dropped_total'), 0)
  }
)
