import type { MetricObjectWithValues, MetricValue } from 'prom-client'
import { Ledger } from '../../sidecar/metrics/ledger.ts'
import { Metrics } from '../../sidecar/metrics/metrics.ts'

/** Every metric of the logger, by asking a registry that nothing was counted in. */
export async function loggerMetrics(): Promise<MetricObjectWithValues<MetricValue<string>>[]> {
  const nothing = {
    pendingEvents: 0,
    pendingBytes: 0,
    pendingLimitBytes: 0,
    inFlightRecords: 0,
    oldestReceivedAt: undefined,
    journal: undefined,
    deadLetters: { bytes: 0, limitBytes: 0 }
  }
  const { registry } = new Metrics(
    new Ledger(),
    () => nothing,
    () => undefined,
    { version: '', librdkafka: '', node: '' }
  )
  const all = await registry.getMetricsAsJSON()
  registry.clear()
  return all
}
