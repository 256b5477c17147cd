import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Load, Trial } from '../support/oracle/index.ts'

const idle: Load = { connections: 1, paceMs: 300 }
const underLoad: Load = { connections: 5, paceMs: 4 }
const brokers = [0, 1, 2]

describe(
  'with three brokers and min.insync.replicas=2 no event that was answered 200 is lost',
  { skip: withoutOwnKafka, timeout: 300_000 },
  () => {
    let cluster: KafkaCluster
    before(async () => {
      cluster = await KafkaCluster.start({ brokers: 3, config: { 'offsets.topic.replication.factor': '3' } })
    })
    after(() => cluster.close())

    /** Runs a fault on an idle sidecar and on one under load, which both have delivered something before. */
    async function onBoth(t: TestContext, fault: (trials: Trial[]) => Promise<void>): Promise<void> {
      const trials = await Promise.all([1, 2].map(seed => Trial.prepare({ kafka: cluster, seed, topics: 2 })))
      t.after(() => Promise.all(trials.map(trial => trial.close())))
      for (const [index, trial] of trials.entries()) {
        for (const topic of trial.source.topics) {
          const config = { 'min.insync.replicas': '2' }
          await cluster.createTopic(topic, { partitions: 3, replication: 3, config })
        }
        await trial.victim.start()
        trial.issuer.start(index === 0 ? idle : underLoad)
      }
      await sleep(1000)
      await fault(trials)
      for (const trial of trials) await trial.issuer.stop()
      await Promise.all(
        trials.map(async (trial, index) => {
          const { accepted, refused, unanswered, duplicates } = await trial.conclude()
          t.diagnostic(`${index === 0 ? 'idle' : 'under load'}: ${accepted} accepted, ${duplicates} twice`)
          assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
        })
      )
    }

    test('when one broker is killed: events flow on', async t => {
      await onBoth(t, async trials => {
        await cluster.kill(0)
        // Until its partitions have other leaders, and everybody knows.
        await Promise.all(trials.map(trial => trial.issuer.stop().then(() => trial.victim.drained(30_000))))
        await cluster.startAll()
      })
    })

    test('when two brokers are killed: events wait until one of them is back', async t => {
      await onBoth(t, async trials => {
        await Promise.all([cluster.kill(0), cluster.kill(1)])
        await sleep(4000)
        for (const trial of trials) {
          const { process } = trial.victim
          assert.ok(((await process.metrics()).get('inference_logger_events_pending') ?? 0) > 0)
          assert.equal((await process.get('/readyz')).status, 200)
        }
        await cluster.startAll()
      })
    })

    test('when two brokers and the sidecar are killed', async t => {
      await onBoth(t, async trials => {
        await Promise.all([cluster.kill(1), cluster.kill(2)])
        await sleep(1000)
        for (const trial of trials) {
          await trial.issuer.stop()
          await trial.victim.kill()
          await trial.victim.start()
          trial.issuer.start(idle)
        }
        await sleep(1000)
        await cluster.startAll()
      })
    })

    test('when leaders move from broker to broker', async t => {
      await onBoth(t, async trials => {
        const topics = trials.flatMap(trial => trial.source.topics)
        for (let move = 0; move < 4; move++) {
          const moves = topics.flatMap(topic => [0, 1, 2].map(partition => ({ topic, partition })))
          await Promise.all(
            moves.map(async ({ topic, partition }) => {
              const leader = (move + partition) % brokers.length
              const others = brokers.filter(id => id !== leader)
              await cluster.waitForTopic(topic, found => found.partitions[partition]?.inSync.length === brokers.length)
              await cluster.lead(topic, partition, [leader, ...others])
              await cluster.waitForTopic(topic, found => found.partitions[partition]?.leader === leader)
            })
          )
          await sleep(300)
        }
      })
    })
  }
)
