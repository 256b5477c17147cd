import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts, type Kafka, type KafkaCluster } from '../support/kafka/index.ts'
import { Trial, type Verdict } from '../support/oracle/index.ts'
import type { SidecarProcess } from '../support/sidecar-process.ts'
import { planLife, planOutage } from './schedule.ts'

export interface CampaignOptions {
  kafka: Kafka
  seed: number
  /** Sidecars that are killed side by side. */
  victims: number
  /** Lives of each; or as many as begin in `forMs`. */
  lives?: number
  forMs?: number
  /** Has broker 0 fail as well, again and again. */
  outages?: KafkaCluster
}

/** What a run of random kills came to. */
export interface CampaignResult extends Omit<Verdict, 'lost' | 'foreign' | 'altered'> {
  kills: number
  scrapes: number
  /** Slowest start, from the spawn to ready, in ms. */
  slowestStartMs: number
  seconds: number
}

interface VictimResult {
  verdict: Verdict
  kills: number
  scrapes: number
  slowestStartMs: number
}

/**
 * Kills sidecars at random times, over and over, while events are sent to them; then lets each deliver what it has, and
 * judges. Rejects with everything that is wrong, and with where the journals are that show it.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, victims } = options
  const started = performance.now()
  const killing = Array.from({ length: victims }, (_, index) => killAgainAndAgain(options, index, started))
  const done = Promise.allSettled(killing)
  const outages = options.outages === undefined ? undefined : runOutages(options.outages, seed, done)
  const settled = await Promise.allSettled(
    killing.map(async victim => {
      const lives = await victim
      await outages
      return conclude(lives)
    })
  )
  const failures = settled.flatMap(one => (one.status === 'rejected' ? [String((one.reason as Error).message)] : []))
  if (failures.length > 0) throw new Error(`seed ${seed}\n${failures.join('\n')}`)
  const results = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const sum = (of: (result: VictimResult) => number): number => results.reduce((total, one) => total + of(one), 0)
  return {
    kills: sum(({ kills }) => kills),
    issued: sum(({ verdict }) => verdict.issued),
    accepted: sum(({ verdict }) => verdict.accepted),
    refused: sum(({ verdict }) => verdict.refused),
    unanswered: sum(({ verdict }) => verdict.unanswered),
    arrived: sum(({ verdict }) => verdict.arrived),
    arrivedUnacknowledged: sum(({ verdict }) => verdict.arrivedUnacknowledged),
    duplicates: sum(({ verdict }) => verdict.duplicates),
    replayed: sum(({ verdict }) => verdict.replayed),
    outOfOrder: sum(({ verdict }) => verdict.outOfOrder),
    scrapes: sum(({ scrapes }) => scrapes),
    slowestStartMs: Math.round(Math.max(...results.map(({ slowestStartMs }) => slowestStartMs))),
    seconds: Math.round((performance.now() - started) / 1000)
  }
}

/** What the lives of a victim have left. */
interface Lives {
  name: string
  trial: Trial
  kills: number
  slowestStartMs: number
  troubles: string[]
}

async function killAgainAndAgain(options: CampaignOptions, index: number, started: number): Promise<Lives> {
  const { kafka, seed, lives = Infinity, forMs = Infinity } = options
  const trial = await Trial.prepare({
    kafka,
    seed: seed * 1000 + index,
    env: { KAFKA_TOPIC_PARTITIONS: '3' },
    keepJournal: true
  })
  const { victim, issuer, source } = trial
  // The others are made by the sidecar, when it can.
  for (const topic of source.topics.slice(0, 2)) await kafka.createTopic(topic, { partitions: 3 })
  const [nowhere] = await freePorts(1)
  const absent = { KAFKA_BROKERS: `127.0.0.1:${nowhere}` }
  const result: Lives = { name: `victim ${index}`, trial, kills: 0, slowestStartMs: 0, troubles: [] }
  for (let life = 0; life < lives && performance.now() - started < forMs; life++) {
    const plan = planLife(seed, index, life)
    const spawned = performance.now()
    const process = victim.spawn({ ...plan.env, ...(plan.kafkaAbsent ? absent : {}) })
    const ready = process.ready().then(
      () => (result.slowestStartMs = Math.max(result.slowestStartMs, performance.now() - spawned)),
      () => undefined
    )
    issuer.start(plan.load)
    if (plan.from === 'ready') await ready
    if (plan.terminateAfterMs !== undefined) {
      await Promise.race([sleep(plan.terminateAfterMs), process.exited])
      process.signal('SIGTERM')
    }
    await Promise.race([sleep(plan.killAfterMs), process.exited])
    if (victim.isRunning) result.kills++
    else if (plan.terminateAfterMs === undefined) result.troubles.push(`life ${life + 1} ended by itself`)
    await Promise.all([victim.kill(), issuer.stop()])
    result.troubles.push(...complaintsOf(process).map(complaint => `life ${life + 1}: ${complaint}`))
  }
  return result
}

async function conclude({ name, trial, kills, slowestStartMs, troubles }: Lives): Promise<VictimResult> {
  const { victim } = trial
  try {
    const verdict = await trial.conclude({ timeoutMs: 120_000 })
    if (troubles.length > 0) throw new Error('although nothing is lost')
    await victim.deleteJournal()
    return { verdict, kills, scrapes: victim.scraped.scrapes, slowestStartMs }
  } catch (error) {
    await trial.close()
    const where = `${name} after ${victim.lives} lives, journal in ${victim.journalDir}`
    throw new Error([where, (error as Error).message, ...troubles.slice(0, 20)].join('\n'), { cause: error })
  }
}

/** Has the cluster's only broker fail, until `done`; it is there again then. */
async function runOutages(cluster: KafkaCluster, seed: number, done: Promise<unknown>): Promise<void> {
  let over = false
  const ended = done.then(() => (over = true))
  for (let outage = 0; ; outage++) {
    const { afterMs, how, forMs } = planOutage(seed, outage)
    await Promise.race([sleep(afterMs), ended])
    if (over) return
    if (how === 'pause') cluster.pause(0)
    else if (how === 'stop') await cluster.stopBroker(0)
    else await cluster.kill(0)
    await Promise.race([sleep(forMs), ended])
    if (how === 'pause') cluster.resume(0)
    else await cluster.startAll()
  }
}

/** What a process said that none should say, however it ends. */
function complaintsOf({ logs, stderr }: SidecarProcess): string[] {
  const bad = logs.filter(({ level, msg }) => level === 'fatal' || level === 'none' || msg.includes('report this'))
  return [...bad.map(line => JSON.stringify(line)), ...(stderr === '' ? [] : [stderr])]
}
