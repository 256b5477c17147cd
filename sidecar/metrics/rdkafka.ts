import type { Registry } from 'prom-client'
import { counter, gauge } from './exposition.ts'
import type { Tally } from './ledger.ts'

/** The part of librdkafka's statistics (STATISTICS.md) that is read here. Times in microseconds. */
export interface RdkafkaStatistics {
  readonly msg_cnt: number
  readonly msg_size: number
  readonly brokers: Readonly<Record<string, RdkafkaBroker>>
}

/** One broker in librdkafka's statistics. */
export interface RdkafkaBroker {
  readonly name: string
  readonly nodeid: number
  readonly source: string
  readonly state: string
  readonly connects: number
  readonly disconnects: number
  readonly txerrs: number
  readonly req_timeouts: number
  readonly rtt: { readonly avg: number; readonly p99: number }
}

/**
 * Reads librdkafka's statistics.
 * @param json undefined before the first came
 */
export function parseStatistics(json: string | undefined): RdkafkaStatistics | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as RdkafkaStatistics)
}

/**
 * The brokers worth showing: those of the cluster's metadata, or the configured ones until metadata came. librdkafka
 * keeps the configured ones (nodeid -1) beside them for ever, mostly without a connection.
 */
export function brokersOf(statistics: RdkafkaStatistics): RdkafkaBroker[] {
  const all = Object.values(statistics.brokers).filter(({ source }) => source !== 'logical' && source !== 'internal')
  const learned = all.filter(({ nodeid }) => nodeid !== -1)
  return learned.length > 0 ? learned : all
}

/** Registers `rdkafka_*`. @returns sets them from statistics */
export function registerRdkafkaMetrics(registry: Registry): (statistics: RdkafkaStatistics | undefined) => void {
  const up = gauge(registry, 'rdkafka_broker_up', 'Whether librdkafka is connected to the broker.', 'broker')
  const rtt = gauge(registry, 'rdkafka_broker_rtt_seconds', 'Mean round trip of requests in the last 5 s.', 'broker')
  const rttP99 = gauge(registry, 'rdkafka_broker_rtt_p99_seconds', 'Its 99th percentile.', 'broker')
  const connects = counter(registry, 'rdkafka_broker_connects_total', 'Connection attempts.', 'broker')
  const disconnects = counter(registry, 'rdkafka_broker_disconnects_total', 'Connections lost or closed.', 'broker')
  const txErrors = counter(registry, 'rdkafka_broker_tx_errors_total', 'Requests that could not be sent.', 'broker')
  const timeouts = counter(
    registry,
    'rdkafka_broker_request_timeouts_total',
    'Requests that were not answered in time.',
    'broker'
  )
  const messages = gauge(registry, 'rdkafka_queue_messages', 'Records in librdkafka’s queues.')
  const bytes = gauge(registry, 'rdkafka_queue_bytes', 'Bytes in librdkafka’s queues.')
  return statistics => {
    if (statistics === undefined) return
    const brokers = brokersOf(statistics)
    const tally = (value: (broker: RdkafkaBroker) => number): Tally =>
      Object.fromEntries(brokers.map(broker => [broker.name.replace(/\/[^/]*$/, ''), value(broker)]))
    up(tally(({ state }) => (state === 'UP' ? 1 : 0)))
    rtt(tally(broker => broker.rtt.avg / 1e6))
    rttP99(tally(broker => broker.rtt.p99 / 1e6))
    connects(tally(broker => broker.connects))
    disconnects(tally(broker => broker.disconnects))
    txErrors(tally(broker => broker.txerrs))
    timeouts(tally(broker => broker.req_timeouts))
    messages(statistics.msg_cnt)
    bytes(statistics.msg_size)
  }
}
