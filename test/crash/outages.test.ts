import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { assertPromiseKept, type Load, Trial } from '../support/oracle/index.ts'
import { total } from '../support/sidecar-process.ts'

const idle: Load = { connections: 1, paceMs: 300 }
const underLoad: Load = { connections: 6, paceMs: 4 }

/** What an outage is tried on: all of them at once, since it is the same outage for all. */
const subjects = (['journal', 'fsync', 'kafka', 'memory'] as const).flatMap(durability =>
  [idle, underLoad].map(load => ({ durability, load }))
)
type Subject = (typeof subjects)[number]

describe('no event that was answered 200 is lost', { skip: withoutOwnKafka, timeout: 300_000 }, () => {
  let cluster: KafkaCluster
  before(async () => {
    cluster = await KafkaCluster.start()
  })
  after(() => cluster.close())

  /** Runs the same on every subject, side by side. */
  async function onAll(
    t: TestContext,
    wanted: (subject: Subject) => boolean,
    env: Record<string, string>,
    run: (trials: (Subject & { trial: Trial })[]) => Promise<void>
  ): Promise<void> {
    const chosen = subjects.filter(wanted)
    const trials = await Promise.all(
      chosen.map(async (subject, seed) => ({
        ...subject,
        trial: await Trial.prepare({
          kafka: cluster,
          seed,
          topics: 2,
          env: {
            INFERENCE_LOGGER_DURABILITY: subject.durability,
            // Durability `memory` has nowhere else to put them.
            INFERENCE_LOGGER_MEMORY_MAX_BYTES: '256Mi',
            ...env
          }
        })
      }))
    )
    t.after(() => Promise.all(trials.map(({ trial }) => trial.close())))
    await run(trials)
    await Promise.all(
      trials.map(async ({ trial, durability, load }) => {
        const { accepted, refused, unanswered, duplicates, replayed, outOfOrder } = await trial.conclude()
        t.diagnostic(
          `${durability}, ${load === idle ? 'idle' : 'under load'}: ${accepted} accepted, ${duplicates} twice, ${replayed} replayed`
        )
        assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
        assert.equal(outOfOrder, 0, 'they arrive in the order in which they were accepted')
      })
    )
  }

  const survives = ({ durability }: Subject): boolean => durability !== 'memory'
  const all = (): boolean => true

  test('by SIGTERM with Kafka up: all of them are delivered before the exit', async t => {
    await onAll(t, all, { INFERENCE_LOGGER_DRAIN_IDLE: '600ms', KAFKA_CONFIG_LINGER_MS: '200' }, async trials => {
      await Promise.all(
        trials.map(async ({ trial, load }) => {
          await trial.victim.start()
          trial.issuer.start(load)
          await sleep(1000)
          const process = trial.victim.process
          process.signal('SIGTERM')
          // KServe's agent goes on for a while, too.
          await sleep(500)
          await trial.issuer.stop()
          assert.deepEqual(await trial.victim.ended(), { code: 0, signal: null })
          assert.deepEqual(trial.segments, [])
          await trial.victim.start()
          const metrics = await trial.victim.process.metrics()
          assert.equal(total(metrics, 'inference_logger_events_replayed_total'), 0)
        })
      )
    })
  })

  test('by SIGTERM with Kafka away: what is left stays, and the next start delivers it', async t => {
    await cluster.stopBroker(0)
    const grace = { INFERENCE_LOGGER_GRACE_PERIOD: '2s', INFERENCE_LOGGER_ACK_TIMEOUT: '200ms' }
    await onAll(t, survives, grace, async trials => {
      try {
        await Promise.all(
          trials.map(async ({ trial, load }) => {
            await trial.victim.start()
            trial.issuer.start(load)
            await sleep(1500)
            await trial.issuer.stop()
            const accepted = trial.issuer.issued.tally('accepted')
            trial.victim.process.signal('SIGTERM')
            assert.deepEqual(await trial.victim.ended(), { code: 0, signal: null })
            await trial.victim.start()
            const replayed = await trial.victim.process.waitFor(
              'all of them are found again',
              metrics => total(metrics, 'inference_logger_events_replayed_total') === accepted
            )
            assert.equal(replayed.get('inference_logger_events_pending'), accepted)
          })
        )
      } finally {
        await cluster.startAll()
      }
    })
  })

  test('when Kafka is absent at the start, and the sidecar is killed before it comes', async t => {
    await cluster.stopBroker(0)
    await onAll(t, survives, { INFERENCE_LOGGER_ACK_TIMEOUT: '200ms' }, async trials => {
      try {
        await Promise.all(
          trials.map(async ({ trial, load }) => {
            for (let life = 0; life < 2; life++) {
              await trial.victim.start()
              assert.equal((await trial.victim.process.get('/readyz')).status, 200)
              trial.issuer.start(load)
              await sleep(1000)
              await trial.issuer.stop()
              await trial.victim.kill()
            }
            await trial.victim.start()
            trial.issuer.start(load)
          })
        )
      } finally {
        await cluster.startAll()
      }
      await sleep(500)
    })
  })

  test('when Kafka is stopped and started again', async t => {
    await onAll(t, all, {}, async trials => {
      for (const { trial, load } of trials) {
        await trial.victim.start()
        trial.issuer.start(load)
      }
      await sleep(1000)
      await cluster.stopBroker(0)
      await sleep(4000)
      await assertSeen(trials)
      await cluster.startAll()
      await sleep(500)
    })
  })

  test('when Kafka hangs for longer than all timeouts', async t => {
    const impatient = { KAFKA_CONFIG_SOCKET_TIMEOUT_MS: '2000', KAFKA_CONFIG_REQUEST_TIMEOUT_MS: '1500' }
    await onAll(t, all, impatient, async trials => {
      for (const { trial, load } of trials) {
        await trial.victim.start()
        trial.issuer.start(load)
      }
      await sleep(1000)
      cluster.pause(0)
      await sleep(7000)
      await assertSeen(trials)
      cluster.resume(0)
      await sleep(500)
    })
  })

  test('when Kafka hangs, and the sidecar is killed meanwhile', async t => {
    const impatient = { INFERENCE_LOGGER_ACK_TIMEOUT: '300ms' }
    await onAll(t, survives, impatient, async trials => {
      for (const { trial, load } of trials) {
        await trial.victim.start()
        trial.issuer.start(load)
      }
      await sleep(1000)
      cluster.pause(0)
      await sleep(1000)
      await Promise.all(
        trials.map(async ({ trial }) => {
          // A request that is on its way is lost with the process, and was not answered.
          await trial.issuer.stop()
          await trial.victim.kill()
          await trial.victim.start()
        })
      )
      for (const { trial, load } of trials) trial.issuer.start(load)
      await sleep(1000)
      cluster.resume(0)
      await sleep(500)
    })
  })

  for (const policy of ['reject', 'drop-oldest'] as const) {
    test(`that the metrics do not count, when the journal is full with policy ${policy}`, async t => {
      const trial = await Trial.prepare({
        kafka: cluster,
        topics: 2,
        maxBytes: 60_000,
        env: {
          INFERENCE_LOGGER_WHEN_FULL: policy,
          INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '1Mi',
          INFERENCE_LOGGER_MAX_EVENT_BYTES: '512Ki',
          INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES: '64Ki',
          INFERENCE_LOGGER_MEMORY_MAX_BYTES: '1Mi',
          // What librdkafka has cannot be dropped.
          INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES: '128Ki'
        }
      })
      t.after(() => trial.close())
      const { victim, issuer } = trial
      await victim.start()
      issuer.start(underLoad)
      await sleep(500)
      await cluster.stopBroker(0)
      try {
        await sleep(3000)
        const { body } = await victim.process.get('/metrics')
        const limit = 1024 * 1024
        const bytes = Number(/^inference_logger_journal_bytes (\d+)$/m.exec(body)?.[1])
        assert.ok(bytes > limit / 2 && bytes <= limit, `${bytes} bytes`)
      } finally {
        await cluster.startAll()
      }
      await issuer.stop()
      await victim.drained()
      const dropped = total(await victim.process.metrics(), 'inference_logger_events_dropped_total')
      const verdict = await trial.judge()
      assert.equal(verdict.lost.length, dropped)
      assertPromiseKept({ ...verdict, lost: [] })
      if (policy === 'reject') assert.deepEqual([verdict.refused > 0, dropped], [true, 0])
      else assert.deepEqual([verdict.refused, dropped > 0], [0, true])
      t.diagnostic(`${verdict.accepted} accepted, ${verdict.refused} refused, ${dropped} dropped`)
      await victim.kill()
      assert.deepEqual(victim.scraped.violations, [])
    })
  }
})

/** The fault has been noticed: events wait, and the pod stays ready. */
async function assertSeen(trials: { trial: Trial }[]): Promise<void> {
  for (const { trial } of trials) {
    const { process } = trial.victim
    assert.ok(((await process.metrics()).get('inference_logger_events_pending') ?? 0) > 0, 'the outage is seen')
    assert.equal((await process.get('/readyz')).status, 200)
  }
}
