import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { counter, gauge } from './exposition.ts'
import { PlainHistogram } from './histogram.ts'
import { registerJournalMetrics, type DeadLetterGauges, type JournalGauges } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { registerRdkafkaMetrics, type RdkafkaStatistics } from './rdkafka.ts'

/** What is read at a scrape beside the ledger. */
export interface Gauges {
  readonly pendingEvents: number
  readonly pendingBytes: number
  readonly pendingLimitBytes: number
  readonly inFlightRecords: number
  /** ms since 1970; undefined: nothing is pending. */
  readonly oldestReceivedAt: number | undefined
  /** undefined: there is none, in durability `memory`. */
  readonly journal: JournalGauges | undefined
  readonly deadLetters: DeadLetterGauges
}

/** Versions for `build_info`. */
export interface BuildInfo {
  readonly version: string
  readonly librdkafka: string
  readonly node: string
}

const PREFIX = 'inference_logger_'
/** Buckets in seconds. The reply is in memory's time, or a disk's; delivery in the network's, or in that of an outage. */
const ACK_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]
const DELIVERY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600]

/** Everything under `/metrics`. The names are an interface: docs/metrics.md, changed with a major version only. */
export class Metrics {
  readonly registry = new Registry()
  readonly ackDuration: PlainHistogram
  readonly deliveryDuration: PlainHistogram
  readonly journalCommitDuration: PlainHistogram
  readonly journalCommitEvents: PlainHistogram
  readonly journalFsyncDuration: PlainHistogram
  readonly #readAll: () => void
  #lastScrape: Promise<unknown> = Promise.resolve()

  /**
   * @param gauges reads the present state
   * @param statistics librdkafka's latest statistics; undefined before the first
   */
  constructor(ledger: Ledger, gauges: () => Gauges, statistics: () => RdkafkaStatistics | undefined, build: BuildInfo) {
    this.ackDuration = new PlainHistogram(
      this.registry,
      `${PREFIX}ack_duration_seconds`,
      'Time from a request’s headers to its 200.',
      ACK_BUCKETS
    )
    this.deliveryDuration = new PlainHistogram(
      this.registry,
      `${PREFIX}delivery_duration_seconds`,
      'Time from an event’s receipt to Kafka’s acknowledgement by all in-sync replicas.',
      DELIVERY_BUCKETS
    )
    new Gauge({
      name: `${PREFIX}build_info`,
      help: 'Always 1; the versions are in the labels.',
      labelNames: ['version', 'librdkafka', 'node'],
      registers: [this.registry]
    }).set({ ...build }, 1)
    const readLedger = registerLedger(this.registry, ledger)
    const readGauges = registerGauges(this.registry)
    const journal = registerJournalMetrics(this.registry, PREFIX, ledger)
    this.journalCommitDuration = journal.commitDuration
    this.journalCommitEvents = journal.commitEvents
    this.journalFsyncDuration = journal.fsyncDuration
    const readRdkafka = registerRdkafkaMetrics(this.registry)
    this.#readAll = () => {
      const now = gauges()
      readLedger()
      readGauges(now)
      journal.read(now)
      readRdkafka(statistics())
    }
    collectDefaultMetrics({ register: this.registry })
  }

  /**
   * The text of `/metrics`. All values are read in one turn of the event loop: prom-client asks its metrics one after
   * another and awaits between them, which would tear the sums apart. Scrapes queue up for the same reason.
   */
  render(): Promise<string> {
    const text = this.#lastScrape.then(() => {
      this.#readAll()
      return this.registry.metrics()
    })
    this.#lastScrape = text.catch(() => {})
    return text
  }
}

function registerLedger(registry: Registry, ledger: Ledger): () => void {
  const own = (name: string, help: string, label?: string): ReturnType<typeof counter> =>
    counter(registry, PREFIX + name, help, label)
  const received = own('events_received_total', 'Events accepted (answered 200), by kind.', 'type')
  const receivedBytes = own('received_bytes_total', 'Bytes of the accepted events’ data.')
  const replayed = own('events_replayed_total', 'Events of an earlier run that were in the journal at the start.')
  const delivered = own('events_delivered_total', 'Events that Kafka has acknowledged.')
  const deliveredBytes = own('delivered_bytes_total', 'Bytes of the delivered events’ data.')
  const deadLettered = own(
    'events_dead_lettered_total',
    'Events that Kafka refuses for good, kept as dead letters.',
    'reason'
  )
  const dropped = own('events_dropped_total', 'Accepted events that were given up.', 'reason')
  const rejected = own('requests_rejected_total', 'Requests not answered 200.', 'reason')
  const irregular = own('events_irregular_total', 'Oddities of requests that were read all the same.', 'reason')
  const kafkaErrors = own(
    'kafka_errors_total',
    'Failed attempts, and errors that librdkafka reported, by name.',
    'code'
  )
  const rebuilds = own('producer_rebuilds_total', 'Producers replaced, after a fatal error or a stall.')
  const lastDelivery = gauge(
    registry,
    `${PREFIX}last_delivery_timestamp_seconds`,
    'When Kafka last acknowledged an event, in seconds since 1970; 0: not since the start.'
  )
  return () => {
    received(ledger.received)
    receivedBytes(ledger.receivedBytes)
    replayed(ledger.replayed)
    delivered(ledger.delivered)
    deliveredBytes(ledger.deliveredBytes)
    deadLettered(ledger.deadLettered)
    dropped(ledger.dropped)
    rejected(ledger.rejected)
    irregular(ledger.irregular)
    kafkaErrors(ledger.kafkaErrors)
    rebuilds(ledger.producerRebuilds)
    lastDelivery(ledger.lastDeliveryAt / 1000)
  }
}

function registerGauges(registry: Registry): (now: Gauges) => void {
  const own = (name: string, help: string): ReturnType<typeof gauge> => gauge(registry, PREFIX + name, help)
  const pending = own('events_pending', 'Accepted events that Kafka has not acknowledged yet.')
  const pendingBytes = own('pending_bytes', 'What the pending events take in memory.')
  const pendingLimit = own('pending_limit_bytes', 'Its bound.')
  const inFlight = own('in_flight_records', 'Records handed to librdkafka and not reported on.')
  const oldest = own('oldest_pending_seconds', 'Age of the oldest pending event; 0 when nothing is pending.')
  return now => {
    pending(now.pendingEvents)
    pendingBytes(now.pendingBytes)
    pendingLimit(now.pendingLimitBytes)
    inFlight(now.inFlightRecords)
    oldest(now.oldestReceivedAt === undefined ? 0 : Math.max(0, (Date.now() - now.oldestReceivedAt) / 1000))
  }
}
