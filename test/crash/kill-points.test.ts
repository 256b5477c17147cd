import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dieAt, type KillPoint, killPoints } from '../support/faults/points.ts'
import { freePorts, KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Load, Trial, type Verdict } from '../support/oracle/index.ts'

/** What has to be in the journal for a point to be reached. */
type Before = 'backlog' | 'a small topic' | 'torn tail' | 'sparse segments'

interface Case {
  point: KillPoint
  /** How often the point is reached, idle and under load. */
  hits: [idle: number, underLoad: number]
  before?: Before
  env?: Record<string, string>
  terminating?: boolean
}

const fsync = { INFERENCE_LOGGER_DURABILITY: 'fsync' }
const kafkaFirst = { INFERENCE_LOGGER_DURABILITY: 'kafka' }

const cases: Case[] = [
  { point: 'after-create', hits: [1, 3] },
  { point: 'before-header', hits: [1, 3] },
  { point: 'torn-header', hits: [1, 3] },
  { point: 'after-header', hits: [1, 3] },
  { point: 'before-write', hits: [2, 50] },
  { point: 'torn-write', hits: [2, 50] },
  { point: 'after-write', hits: [2, 50] },
  { point: 'torn-write', hits: [2, 20], env: fsync },
  { point: 'before-sync', hits: [3, 20], env: fsync },
  { point: 'after-sync', hits: [3, 20], env: fsync },
  { point: 'before-reply', hits: [2, 100] },
  { point: 'after-reply', hits: [2, 100] },
  { point: 'before-reply', hits: [2, 30], env: kafkaFirst },
  { point: 'after-reply', hits: [2, 30], env: kafkaFirst },
  { point: 'after-produce', hits: [2, 100] },
  { point: 'before-report', hits: [2, 100] },
  { point: 'before-report', hits: [2, 30], env: kafkaFirst },
  { point: 'after-report', hits: [2, 100] },
  { point: 'before-released-write', hits: [1, 2] },
  { point: 'torn-released-write', hits: [1, 2] },
  { point: 'after-released-write', hits: [1, 2] },
  { point: 'before-unlink', hits: [1, 4] },
  { point: 'after-unlink', hits: [1, 4] },
  { point: 'before-released-unlink', hits: [1, 2] },
  { point: 'after-released-unlink', hits: [1, 2] },
  { point: 'before-compaction-write', hits: [1, 1], before: 'sparse segments' },
  { point: 'torn-compaction-write', hits: [2, 2], before: 'sparse segments' },
  { point: 'after-compaction-write', hits: [2, 2], before: 'sparse segments' },
  { point: 'before-rename', hits: [1, 1], before: 'sparse segments' },
  { point: 'after-rename', hits: [1, 1], before: 'sparse segments' },
  { point: 'before-unlink', hits: [2, 4], before: 'sparse segments' },
  { point: 'after-unlink', hits: [2, 4], before: 'sparse segments' },
  { point: 'before-letter-write', hits: [3, 5], before: 'a small topic' },
  { point: 'torn-letter-write', hits: [3, 5], before: 'a small topic' },
  { point: 'after-letter-write', hits: [3, 5], before: 'a small topic' },
  { point: 'after-read', hits: [1, 1], before: 'backlog' },
  { point: 'after-read', hits: [4, 4], before: 'backlog' },
  { point: 'after-read', hits: [8, 9], before: 'backlog' },
  { point: 'after-report', hits: [20, 40], before: 'backlog' },
  { point: 'before-truncate', hits: [1, 1], before: 'torn tail' },
  { point: 'after-truncate', hits: [1, 1], before: 'torn tail' },
  { point: 'after-write', hits: [3, 50], terminating: true },
  { point: 'after-reply', hits: [3, 50], terminating: true },
  { point: 'before-report', hits: [3, 50], terminating: true },
  { point: 'after-report', hits: [3, 50], terminating: true },
  { point: 'after-released-write', hits: [1, 1], terminating: true },
  { point: 'before-unlink', hits: [1, 1], terminating: true }
]

const idle: Load = { connections: 1, paceMs: 5 }
const underLoad: Load = { connections: 8, paceMs: 1 }
const reachMs = 20_000

describe(
  'an event answered 200 arrives when the sidecar is killed',
  { skip: withoutOwnKafka, timeout: 300_000, concurrency: 3 },
  () => {
    let cluster: KafkaCluster
    const seen = { duplicates: 0, replayed: 0 }
    before(async () => {
      cluster = await KafkaCluster.start()
    })
    after(async () => {
      await cluster.close()
      assert.ok(seen.duplicates > 0, 'nothing was delivered a second time: no replay was ever tested')
      assert.ok(seen.replayed > 0, 'no record carried the header of a replayed one')
    })

    test('at every point that there is', () => {
      assert.deepEqual(new Set(cases.map(({ point }) => point)), new Set(killPoints))
    })

    for (const one of cases) {
      for (const [load, hit] of [
        [idle, one.hits[0]],
        [underLoad, one.hits[1]]
      ] as const) {
        test(nameOf(one, load, hit), async t => {
          const verdict = await killAndJudge(t, cluster, one, load, hit)
          seen.duplicates += verdict.duplicates
          seen.replayed += verdict.replayed
        })
      }
    }
  }
)

function nameOf({ point, before, env, terminating }: Case, load: Load, hit: number): string {
  return [
    `${point}, time ${hit}`,
    load === idle ? 'idle' : 'under load',
    ...(env?.['INFERENCE_LOGGER_DURABILITY'] === undefined ? [] : [env['INFERENCE_LOGGER_DURABILITY']]),
    ...(before === undefined ? [] : [`with ${before}`]),
    ...(terminating ? ['after SIGTERM'] : [])
  ].join(', ')
}

async function killAndJudge(
  t: TestContext,
  kafka: KafkaCluster,
  { point, before, env = {}, terminating = false }: Case,
  load: Load,
  hit: number
): Promise<Verdict> {
  const trial = await Trial.prepare({
    kafka,
    seed: hit,
    topics: 4,
    maxBytes: 60_000,
    env: {
      INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES: '64Ki',
      INFERENCE_LOGGER_MAX_EVENT_BYTES: '512Ki',
      INFERENCE_LOGGER_DRAIN_IDLE: '500ms'
    }
  })
  t.after(() => trial.close())
  const { victim, issuer } = trial
  const settings = { ...env, ...(await prepare(trial, before)) }

  const fault = dieAt(point, { hit, terminating })
  const process = victim.spawn({ ...settings, ...fault.env }, fault)
  issuer.start(load)
  if (terminating) {
    await process.ready()
    await sleep(300)
    process.signal('SIGTERM')
  }
  const exit = await Promise.race([process.exited, sleep(reachMs, 'alive' as const)])
  assert.deepEqual(exit, { code: null, signal: 'SIGKILL' }, 'the point is reached')
  await Promise.all([victim.ended(), issuer.stop()])
  assert.equal(process.stderr, '')
  if (before !== 'a small topic') return trial.conclude()
  for (const topic of trial.source.topics) await kafka.configureTopic(topic, { 'max.message.bytes': '1048588' })
  return trial.conclude({ deadLetters: true })
}

/** @returns settings of the life in which the point is reached */
async function prepare({ kafka, source, victim, issuer }: Trial, what?: Before): Promise<Record<string, string>> {
  const [nowhere] = await freePorts(1)
  const absent = { KAFKA_BROKERS: `127.0.0.1:${nowhere}` }
  switch (what) {
    case undefined:
      return {}
    case 'a small topic':
      // Every tenth event is too large for it, and is set aside.
      for (const topic of source.topics) await kafka.createTopic(topic, { config: { 'max.message.bytes': '4500' } })
      return {}
    case 'backlog':
      await victim.start(absent)
      await issuer.sendOneByOne(150)
      await victim.kill()
      return {}
    case 'torn tail': {
      const torn = dieAt('torn-write', { hit: 20 })
      await victim.start({ ...absent, ...torn.env }, torn)
      await issuer.sendOneByOne(30)
      await victim.ended()
      return {}
    }
    case 'sparse segments':
      // One topic in ten waits, and holds up the segments in which its events lie among the others'.
      for (const topic of source.topics.slice(0, 3)) await kafka.createTopic(topic)
      return { KAFKA_TOPIC_REPLICATION_FACTOR: '5', INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '1Mi' }
  }
}
