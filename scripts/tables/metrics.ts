import { Ledger } from '../../sidecar/metrics/ledger.ts'
import { table } from './markdown.ts'
import { loggerMetrics } from './registry.ts'

/** The table of metrics, from the registry itself; Node's and the process's own are not listed one by one. */
export async function metricsTable(): Promise<string> {
  const all = await loggerMetrics()
  const own = all.filter(({ name }) => /^(?:inference_logger|rdkafka)_/.test(name))
  return table(
    ['metric', 'type', 'labels', 'meaning'],
    own.map(metric => [`\`${metric.name}\``, String(metric.type), labelsOf(metric.name), metric.help])
  )
}

/** A label whose values are known from the start. */
const labelOf = (label: string, values: object): string =>
  `\`${label}\`: ${Object.keys(values)
    .map(value => `\`${value}\``)
    .join(', ')}`

const ledger = new Ledger()
const LABELS: Readonly<Record<string, string>> = {
  inference_logger_build_info: '`version`, `librdkafka`, `node`',
  inference_logger_events_received_total: '`type`: `request`, `response`, `other`',
  inference_logger_events_dead_lettered_total: labelOf('reason', ledger.deadLettered),
  inference_logger_events_dropped_total: labelOf('reason', ledger.dropped),
  inference_logger_journal_errors_total: '`code`: `ENOSPC`, `EIO`, …',
  inference_logger_journal_quarantined_total: labelOf('what', ledger.quarantined),
  inference_logger_dead_letter_topic_records_total: '`result`: `delivered`, `failed`, `skipped`',
  inference_logger_requests_rejected_total: '`reason`: see [receiving](receiving.md)',
  inference_logger_events_irregular_total: '`reason`: see [receiving](receiving.md)',
  inference_logger_kafka_errors_total: '`code`: librdkafka’s name of the error'
}

function labelsOf(name: string): string {
  return LABELS[name] ?? (name.startsWith('rdkafka_broker_') ? '`broker`' : '')
}
