import { join } from 'node:path'
import type { Config } from './config/config.ts'
import { masked } from './config/errors.ts'
import { DEAD_LETTERS_FOLDER } from './dead-letters/names.ts'
import type { Delivery } from './delivery/delivery.ts'
import type { JournalObservers } from './journal-observer.ts'
import type { Ledger } from './metrics/ledger.ts'
import type { Gauges } from './metrics/metrics.ts'
import { brokersOf, type RdkafkaStatistics } from './metrics/rdkafka.ts'
import type { LastError } from './observers.ts'
import type { EventStore } from './store/store.ts'

/** What `/status` is put together from. */
export interface StatusSources {
  readonly config: Config
  readonly build: object
  readonly startedAt: Date
  readonly state: string
  readonly listen: readonly string[]
  readonly store: EventStore
  readonly delivery: Delivery
  readonly ledger: Ledger
  /** The same as for `/metrics`. */
  readonly gauges: Gauges
  readonly journalProblem: JournalObservers['problem']
  readonly statistics: RdkafkaStatistics | undefined
  readonly lastError: LastError | undefined
}

/** The same as `/metrics`, for a person: configuration with secrets masked, brokers, topics, counters, last error. */
export function statusOf(sources: StatusSources): object {
  const { config, ledger, store, delivery, statistics } = sources
  const oldest = store.oldestReceivedAt()
  return {
    state: sources.state,
    ...sources.build,
    startedAt: sources.startedAt.toISOString(),
    listen: sources.listen,
    events: {
      received: ledger.received,
      replayed: ledger.replayed,
      delivered: ledger.delivered,
      pending: store.pendingEvents,
      pendingBytes: store.pendingBytes,
      limitBytes: store.limitBytes,
      inFlight: delivery.inFlightRecords,
      oldestPendingSeconds: oldest === undefined ? 0 : Math.max(0, Math.round((Date.now() - oldest) / 100) / 10),
      deadLettered: ledger.deadLettered,
      dropped: ledger.dropped,
      rejected: ledger.rejected,
      irregular: ledger.irregular,
      lastDeliveryAt: ledger.lastDeliveryAt === 0 ? null : new Date(ledger.lastDeliveryAt).toISOString()
    },
    journal: journalOf(sources),
    deadLetters: {
      directory: join(config.journalDir, DEAD_LETTERS_FOLDER),
      bytes: sources.gauges.deadLetters.bytes,
      limitBytes: sources.gauges.deadLetters.limitBytes,
      discarded: ledger.deadLettersDiscarded,
      topic: config.deadLetterTopic ?? null,
      topicRecords: ledger.deadLetterTopicRecords
    },
    kafka: {
      brokers:
        statistics === undefined
          ? 'no statistics yet'
          : brokersOf(statistics).map(({ name, state, rtt }) => ({ name, state, rttMs: rtt.avg / 1000 })),
      topics: [...delivery.lanes()].map(({ topic, state, waiting, inFlight, problem }) => ({
        topic,
        state,
        waiting,
        inFlight,
        problem: problem ?? null
      })),
      errors: ledger.kafkaErrors,
      producerRebuilds: ledger.producerRebuilds
    },
    lastError: sources.lastError ?? null,
    configuration: describeConfig(config)
  }
}

/** @returns null in durability `memory` */
function journalOf({ config, gauges: { journal }, ledger, journalProblem }: StatusSources): object | null {
  if (journal === undefined) return null
  const { bytes, limitBytes, segments, longestCommitSeconds } = journal
  return {
    directory: config.journalDir,
    bytes,
    limitBytes,
    segments,
    failing: journalProblem ?? null,
    longestCommitSeconds,
    errors: ledger.journalErrors,
    quarantined: ledger.quarantined,
    bypassed: ledger.bypassedJournal
  }
}

function describeConfig(config: Config): object {
  const { kafka, topic, warnings, ...settings } = config
  const mask = (properties: Readonly<Record<string, unknown>>): object =>
    Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, masked(name, String(value))]))
  return { ...settings, topic: topic.text, kafka: mask({ ...kafka.global, ...kafka.topic }), warnings }
}
