import { STATUS } from '../sidecar/receiver/replies.ts'
import { WebhookMetrics } from '../webhook/metrics/metrics.ts'
import { loggerMetrics } from './tables/registry.ts'

/** Metrics of other programs that the dashboard and the rules may ask for: kube-state-metrics, kube-apiserver, Prometheus. */
const OTHERS: ReadonlySet<string> = new Set([
  'kube_namespace_labels',
  'kube_pod_annotations',
  'kube_pod_container_info',
  'kube_pod_container_resource_limits',
  'kube_pod_container_status_restarts_total',
  'kube_pod_init_container_info',
  'kube_pod_init_container_resource_limits',
  'kube_pod_init_container_status_restarts_total',
  'kube_pod_status_phase',
  'apiserver_admission_webhook_fail_open_count',
  'apiserver_admission_webhook_rejection_count',
  'apiserver_validating_admission_policy_check_total'
])

/** A file that names metrics. */
export interface NamingFile {
  readonly path: string
  readonly text: string
}

/** What is compared. */
export interface Naming {
  /** Names in the code by their type; process_* and nodejs_* among them. */
  readonly code: ReadonlyMap<string, string>
  /** Everything that names metrics: dashboard, rules, runbooks, docs. */
  readonly files: readonly NamingFile[]
  /** One of these has to name each metric of the code. */
  readonly complete: readonly NamingFile[]
}

/** Every metric in the code, by asking the registries themselves. */
export async function metricsInCode(): Promise<Map<string, string>> {
  const webhook = new WebhookMetrics({ version: '', node: '' })
  const all = [...(await loggerMetrics()), ...(await webhook.registry.getMetricsAsJSON())]
  webhook.registry.clear()
  return new Map(all.map(({ name, type }) => [name, String(type)]))
}

/** Everything that does not fit, in sentences; empty when all does. */
export function namingProblems({ code, files, complete }: Naming): string[] {
  const series = new Set([...code].flatMap(([name, type]) => seriesOf(name, type)))
  const unknown = files.flatMap(({ path, text }) =>
    [...new Set(namesIn(text))]
      .filter(name => !series.has(name) && !OTHERS.has(name))
      .map(name => `${path} names ${name}, which no code has`)
  )
  const named = new Set(complete.flatMap(({ text }) => namesIn(text)))
  const unnamed = [...code]
    .filter(([name]) => /^(?:inference_logger|rdkafka)_/.test(name))
    .filter(([name, type]) => !seriesOf(name, type).some(each => named.has(each)))
    .map(([name]) => `${name} is in the code, and neither in the dashboard nor in docs/metrics.md or docs/webhook.md`)
  return [...unknown, ...unnamed, ...files.flatMap(wrongReasons)]
}

function seriesOf(name: string, type: string): string[] {
  return type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

/** Words that can only be metrics. One that ends in _ is a prefix, or the beginning of one with a wildcard. */
function namesIn(text: string): string[] {
  const words = text.matchAll(/\b(?:inference_logger|rdkafka|process|nodejs|kube|apiserver)_[a-z0-9_]+/g)
  return [...words].map(([word]) => word).filter(word => !word.endsWith('_'))
}

/** Reasons of refusals are as much of an interface: a misspelt one would never match. */
function wrongReasons({ path, text }: NamingFile): string[] {
  const matchers = text.matchAll(/requests_rejected_total\{[^}]*reason[=!]~?\\?"([^"\\]*)\\?"/g)
  return [...matchers]
    .flatMap(([, reasons = '']) => reasons.split(/\\?\|/))
    .filter(reason => /^\w+$/.test(reason) && !(reason in STATUS))
    .map(reason => `${path} asks for requests refused with the reason ${reason}, which there is not`)
}
