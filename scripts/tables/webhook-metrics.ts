import { WebhookMetrics } from '../../webhook/metrics/metrics.ts'
import { table } from './markdown.ts'

const LABELS: Readonly<Record<string, string>> = {
  inference_logger_webhook_requests_total:
    '`result`: `inject`, `skip`, `deny`, `error`; `reason`: the first reason’s code, `other_operation` (allowed without a look), and of errors `bad_request`, `overloaded` or `internal`',
  inference_logger_webhook_certificate_reloads_total: '`result`: `success`, `failure`',
  inference_logger_webhook_settings_reloads_total: '`result`: `success`, `failure`',
  inference_logger_webhook_events_total: '`result`: `created`, `failed`, `dropped`',
  inference_logger_webhook_build_info: '`version`, `node`'
}

/** The table of the webhook's metrics, from the registry itself; Node's and the process's own are not listed one by one. */
export async function webhookMetricsTable(): Promise<string> {
  const { registry } = new WebhookMetrics({ version: '', node: '' })
  const all = await registry.getMetricsAsJSON()
  registry.clear()
  const own = all.filter(({ name }) => name.startsWith('inference_logger_'))
  return table(
    ['metric', 'type', 'labels', 'meaning'],
    own.map(({ name, type, help }) => [`\`${name}\``, String(type), LABELS[name] ?? '', help])
  )
}
