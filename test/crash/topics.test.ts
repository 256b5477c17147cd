import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { assertPromiseKept, type Load, Trial } from '../support/oracle/index.ts'
import { type Metrics, total } from '../support/sidecar-process.ts'

const idle: Load = { connections: 1, paceMs: 200 }
const underLoad: Load = { connections: 4, paceMs: 4 }

const pending = (metrics: Metrics): number => metrics.get('inference_logger_events_pending') ?? 0
const delivered = (metrics: Metrics): number => total(metrics, 'inference_logger_events_delivered_total')

describe('no event that was answered 200 is lost', { skip: withoutOwnKafka, timeout: 300_000 }, () => {
  let cluster: KafkaCluster
  before(async () => {
    cluster = await KafkaCluster.start({
      config: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'allow.everyone.if.no.acl.found': 'true'
      }
    })
  })
  after(() => cluster.close())

  /** @returns when it was gone: what was sent by then may have gone with it */
  async function deleteTopic(topic: string): Promise<number> {
    await cluster.deleteTopic(topic)
    while (cluster.hasLog(0, topic, 0)) await sleep(5)
    return performance.now()
  }

  for (const [name, load] of [
    ['idle', idle],
    ['under load', underLoad]
  ] as const) {
    test(`when a topic is forbidden, ${name}: its events wait, the others’ flow, also after a kill`, async t => {
      const trial = await Trial.prepare({ kafka: cluster, topics: 2 })
      t.after(() => trial.close())
      const { victim, issuer, source } = trial
      const [, forbidden = ''] = source.topics
      const written = async (): Promise<number> => (await cluster.fingerprint([forbidden], {})).length
      for (const topic of source.topics) await cluster.createTopic(topic)
      await cluster.deny(forbidden)
      await victim.start()
      issuer.start(load)
      await victim.process.waitFor('some wait and some flow', found => pending(found) > 2 && delivered(found) > 2)
      await sleep(1000)
      assert.match(JSON.stringify(await victim.process.status()), new RegExp(forbidden))
      assert.equal((await victim.process.get('/readyz')).status, 200)
      assert.equal(await written(), 0)
      await issuer.stop()
      await victim.kill()
      await victim.start()
      issuer.start(load)
      await victim.process.waitFor('others flow', found => delivered(found) > 5)
      assert.equal(await written(), 0)
      await cluster.allow(forbidden)
      const { refused, unanswered, replayed } = await trial.conclude()
      assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
      assert.ok(replayed > 0)
    })

    test(`when a topic is deleted, ${name}: its events wait until somebody makes it again`, async t => {
      const trial = await Trial.prepare({
        kafka: cluster,
        topics: 2,
        env: { INFERENCE_LOGGER_CREATE_TOPICS: 'false' }
      })
      t.after(() => trial.close())
      const { victim, issuer, source } = trial
      const [, deleted = ''] = source.topics
      for (const topic of source.topics) await cluster.createTopic(topic)
      await victim.start()
      issuer.start(load)
      await victim.process.waitFor('some are delivered', found => delivered(found) > 10)
      if (load === idle) {
        await issuer.stop()
        await victim.drained()
      }
      const gone = await deleteTopic(deleted)
      if (load === idle) issuer.start(load)
      await victim.process.waitFor('some wait', found => pending(found) > 2)
      await sleep(1000)
      assert.equal((await victim.process.get('/readyz')).status, 200)
      await cluster.createTopic(deleted)
      await sleep(500)
      await issuer.stop()
      await victim.drained()
      const verdict = await trial.judge()
      const lost = verdict.lost.filter(number => issuer.issued.sentAt(number) > gone)
      assertPromiseKept({ ...verdict, lost })
      assert.deepEqual(
        new Set(verdict.lost.map(number => source.expected(number).topic)),
        new Set(verdict.lost.length === 0 ? [] : [deleted])
      )
      assert.deepEqual([verdict.refused, verdict.unanswered], [0, 0])
      await victim.kill()
      assert.deepEqual([...victim.scraped.violations, ...victim.scraped.givenUp], [])
    })
  }

  test('when a topic is deleted under load and the sidecar may make it again', async t => {
    // For so long librdkafka hopes that a topic which it has seen before is only slow to show again.
    const env = { KAFKA_CONFIG_TOPIC_METADATA_PROPAGATION_MAX_MS: '1000' }
    const trial = await Trial.prepare({ kafka: cluster, topics: 2, env })
    t.after(() => trial.close())
    const { victim, issuer, source } = trial
    const [deleted = ''] = source.topics
    await victim.start()
    issuer.start(underLoad)
    await victim.process.waitFor('some are delivered', found => delivered(found) > 10)
    const gone = await deleteTopic(deleted)
    await cluster.waitForTopic(deleted)
    await sleep(500)
    await issuer.stop()
    await victim.drained()
    const verdict = await trial.judge()
    const lost = verdict.lost.filter(number => issuer.issued.sentAt(number) > gone)
    assertPromiseKept({ ...verdict, lost })
    assert.deepEqual([verdict.refused, verdict.unanswered], [0, 0])
  })

  test('when the broker throttles, also after a kill', async t => {
    const trials = await Promise.all([1, 2].map(seed => Trial.prepare({ kafka: cluster, seed, topics: 1 })))
    t.after(() => Promise.all(trials.map(trial => trial.close())))
    t.after(() => cluster.throttle(null))
    await cluster.throttle(100_000)
    for (const [index, { victim, issuer }] of trials.entries()) {
      await victim.start()
      issuer.start(index === 0 ? idle : underLoad)
    }
    await trials[1]?.victim.process.waitFor('the throttle is felt', found => pending(found) > 500)
    for (const { victim, issuer } of trials) {
      assert.equal((await victim.process.get('/readyz')).status, 200)
      await issuer.stop()
      await victim.kill()
      await victim.start()
      issuer.start(idle)
    }
    await sleep(1000)
    await cluster.throttle(null)
    for (const trial of trials) {
      const { refused, unanswered } = await trial.conclude()
      assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
    }
  })
})
