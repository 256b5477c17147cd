import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ScrapedPod } from './targets.ts'

/** A pod as kube-state-metrics sees it. */
export interface ObservedPod extends Pick<ScrapedPod, 'namespace' | 'pod'> {
  /** Ordinary containers. */
  readonly containers: readonly string[]
  readonly initContainers: readonly string[]
  /** Of the container inference-logger. */
  restarts: number
  /** inference-logger.io/status */
  readonly status?: string
}

/** What the API server counts. */
export interface ApiServerCounts {
  failOpen: number
  rejectedCalls: number
  policyWarnings: number
}

const LOGGER = 'inference-logger'

/**
 * Says what kube-state-metrics (v2, with the flags of docs/observability.md) and kube-apiserver 1.34 would say: their
 * metrics by their own names and labels, from a description.
 */
export class ClusterMetrics {
  readonly pods: ObservedPod[]
  readonly apiServer: ApiServerCounts = { failOpen: 0, rejectedCalls: 0, policyWarnings: 0 }
  readonly #server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4' }).end(this.render())
  })

  constructor(pods: readonly ObservedPod[]) {
    this.pods = [...pods]
  }

  /** Starts to answer. @returns `host:port` */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** Prometheus's text format. */
  render(): string {
    const lines: string[] = []
    const add = (name: string, labels: Readonly<Record<string, string>>, value: number): void => {
      const text = Object.entries(labels).map(([label, is]) => `${label}=${JSON.stringify(is)}`)
      lines.push(`${name}{${text.join(',')}} ${value}`)
    }
    for (const namespace of new Set(this.pods.map(pod => pod.namespace))) {
      add('kube_namespace_labels', { namespace, label_inference_logger_io_injection: 'enabled' }, 1)
    }
    for (const { namespace, pod, containers, initContainers, restarts, status } of this.pods) {
      const of = { namespace, pod, uid: `uid-of-${pod}` }
      add('kube_pod_status_phase', { ...of, phase: 'Running' }, 1)
      add('kube_pod_annotations', { ...of, ...(status && { annotation_inference_logger_io_status: status }) }, 1)
      for (const container of containers) add('kube_pod_container_info', { ...of, container }, 1)
      for (const container of initContainers) add('kube_pod_init_container_info', { ...of, container }, 1)
      const kind = initContainers.includes(LOGGER) ? 'init_container' : 'container'
      if (kind === 'container' && !containers.includes(LOGGER)) continue
      const logger = { ...of, container: LOGGER }
      add(`kube_pod_${kind}_status_restarts_total`, logger, restarts)
      add(`kube_pod_${kind}_resource_limits`, { ...logger, resource: 'memory', unit: 'byte' }, 256 * 2 ** 20)
      add(`kube_pod_${kind}_resource_limits`, { ...logger, resource: 'cpu', unit: 'core' }, 1)
    }
    const { failOpen, rejectedCalls, policyWarnings } = this.apiServer
    const webhook = { name: 'sidecar.inference-logger.io', type: 'admit' }
    // A counter's series begins with its first event.
    if (failOpen > 0) add('apiserver_admission_webhook_fail_open_count', webhook, failOpen)
    if (rejectedCalls > 0) {
      const call = { ...webhook, operation: 'CREATE', error_type: 'calling_webhook_error', rejection_code: '0' }
      add('apiserver_admission_webhook_rejection_count', call, rejectedCalls)
    }
    for (const enforcement_action of policyWarnings > 0 ? ['warn', 'audit'] : []) {
      const policy = { policy: 'inference-logger-sidecar', policy_binding: 'inference-logger-sidecar' }
      const labels = { ...policy, error_type: 'no_error', enforcement_action }
      add('apiserver_validating_admission_policy_check_total', labels, policyWarnings)
    }
    return `${lines.join('\n')}\n`
  }
}

/** The scrape job for both: their labels are those of the objects. */
export function clusterMetricsJob(address: string): Readonly<Record<string, unknown>> {
  return {
    job_name: 'cluster',
    honor_labels: true,
    static_configs: [{ targets: [address] }]
  }
}
