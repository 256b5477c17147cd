/** A container's port that is scraped, as Kubernetes' service discovery tells it. */
export interface ScrapedPod {
  readonly namespace: string
  readonly pod: string
  /** Of the pod, by their names in Kubernetes. */
  readonly labels: Readonly<Record<string, string>>
  readonly container: string
  /** The port's name. */
  readonly port: string
  /** Where it really is, `host:port`. */
  readonly address: string
}

/** KServe's labels that the chart's PodMonitor carries over. */
export const podTargetLabels = ['serving.kserve.io/inferenceservice', 'component', 'serving.knative.dev/revision']

/** A scrape job of Prometheus's configuration. */
export type ScrapeJob = Readonly<Record<string, unknown>>

const sanitized = (label: string): string => label.replace(/[^a-zA-Z0-9_]/g, '_')

/**
 * The scrape job that the Prometheus operator makes of a PodMonitor with these podTargetLabels and a named port
 * (prometheus-operator v0.85.0, pkg/prometheus/promcfg.go, generatePodMonitorConfig); what discovery would find is given.
 * @param name `<namespace>/<PodMonitor>`
 */
export function podMonitorJob(name: string, port: string, pods: readonly ScrapedPod[]): ScrapeJob {
  return {
    job_name: `podMonitor/${name}/0`,
    honor_labels: false,
    static_configs: pods.map(pod => ({ targets: [pod.address], labels: discovered(pod) })),
    relabel_configs: [
      { action: 'keep', source_labels: ['__meta_kubernetes_pod_container_port_name'], regex: port },
      { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
      { source_labels: ['__meta_kubernetes_pod_container_name'], target_label: 'container' },
      { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
      ...podTargetLabels.map(label => ({
        source_labels: [`__meta_kubernetes_pod_label_${sanitized(label)}`],
        target_label: sanitized(label),
        regex: '(.+)',
        replacement: '${1}'
      })),
      { target_label: 'job', replacement: name },
      { target_label: 'endpoint', replacement: port }
    ]
  }
}

/** The same for a ServiceMonitor of one Service. */
export function serviceMonitorJob(name: string, service: string, port: string, pods: readonly ScrapedPod[]): ScrapeJob {
  return {
    job_name: `serviceMonitor/${name}/0`,
    honor_labels: false,
    static_configs: pods.map(pod => ({ targets: [pod.address], labels: discovered(pod) })),
    relabel_configs: [
      { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
      { target_label: 'service', replacement: service },
      { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
      { source_labels: ['__meta_kubernetes_pod_container_name'], target_label: 'container' },
      { target_label: 'job', replacement: service },
      { target_label: 'endpoint', replacement: port }
    ]
  }
}

function discovered({ namespace, pod, labels, container, port }: ScrapedPod): Record<string, string> {
  return {
    __meta_kubernetes_namespace: namespace,
    __meta_kubernetes_pod_name: pod,
    __meta_kubernetes_pod_container_name: container,
    __meta_kubernetes_pod_container_port_name: port,
    ...Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [`__meta_kubernetes_pod_label_${sanitized(name)}`, value])
    )
  }
}
