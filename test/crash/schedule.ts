import { type Load, Random } from '../support/oracle/index.ts'

/** How one life of a victim goes: all of it follows from the seed. */
export interface LifePlan {
  /** Kafka's address leads nowhere. */
  kafkaAbsent: boolean
  env: Record<string, string>
  load: Load
  /** Time counts from when it is ready, or already from the spawn: then its recovery is hit. */
  from: 'ready' | 'spawn'
  /** ms to SIGTERM; undefined: none. */
  terminateAfterMs: number | undefined
  /** ms to SIGKILL, or from SIGTERM to SIGKILL. */
  killAfterMs: number
}

/** Lives at the beginning of a victim in which one topic cannot be created, so that segments are held up and compacted. */
const STUCK_LIVES = 40

/** Life number `life` of victim number `victim` in a run. */
export function planLife(seed: number, victim: number, life: number): LifePlan {
  const random = Random.of(seed, victim, life)
  const isStuck = victim % 2 === 1 && life < STUCK_LIVES
  const durability = random.weighted([
    [70, 'journal'],
    [15, 'fsync'],
    [15, 'kafka']
  ])
  const env = {
    INFERENCE_LOGGER_DURABILITY: durability,
    INFERENCE_LOGGER_MAX_EVENT_BYTES: '2Mi',
    INFERENCE_LOGGER_ACK_TIMEOUT: random.one(['50ms', '300ms', '2s']),
    // Small ones make the journal rotate, spill, remove segments and fill up all the time.
    INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES: random.weighted([
      [6, '64Ki'],
      [3, '256Ki'],
      [1, '8Mi']
    ]),
    INFERENCE_LOGGER_JOURNAL_MAX_BYTES: random.weighted([
      [7, isStuck ? '4Mi' : '256Mi'],
      [2, '16Mi'],
      [1, '4Mi']
    ]),
    ...(isStuck ? { KAFKA_TOPIC_REPLICATION_FACTOR: '5' } : {}),
    INFERENCE_LOGGER_MEMORY_MAX_BYTES: random.one(['64Ki', '1Mi', '32Mi']),
    INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES: random.one(['256Ki', '8Mi']),
    INFERENCE_LOGGER_DRAIN_IDLE: '50ms',
    INFERENCE_LOGGER_GRACE_PERIOD: '10s',
    // Records are in flight for longer, so a kill finds them there.
    KAFKA_CONFIG_LINGER_MS: random.one(['2', '2', '50', '200'])
  }
  const load: Load = random.weighted<() => Load>([
    [2, () => ({ connections: 1, paceMs: random.integer(1, 20) })],
    [5, () => ({ connections: random.integer(2, 8), paceMs: random.integer(0, 8) })],
    [2, () => ({ connections: 32, rate: random.integer(50, 800) })]
  ])()
  return {
    kafkaAbsent: random.chance(0.2),
    env,
    load,
    from: random.chance(0.25) ? 'spawn' : 'ready',
    terminateAfterMs: random.chance(0.08) ? random.integer(0, 500) : undefined,
    killAfterMs: random.integer(0, random.one([300, 700, 1300]))
  }
}

/** How Kafka fails while sidecars are killed. */
export interface OutagePlan {
  /** ms in which nothing happens before. */
  afterMs: number
  /** Killed, stopped in order, or left with its connections open and no answer. */
  how: 'kill' | 'stop' | 'pause'
  forMs: number
}

/** Outage number `outage` of a run. */
export function planOutage(seed: number, outage: number): OutagePlan {
  const random = Random.of(seed, outage, 0x6b61666b)
  return {
    afterMs: random.integer(1000, 15_000),
    how: random.one(['kill', 'stop', 'pause']),
    // A hang of more than 15 s is longer than all timeouts, with the settings that nobody has changed.
    forMs: random.one([random.integer(100, 5000), random.integer(5000, 25_000)])
  }
}
