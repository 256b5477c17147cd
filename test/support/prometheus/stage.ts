import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../kafka/ports.ts'
import { atEnd } from './at-end.ts'
import { ClusterMetrics, clusterMetricsJob, type ObservedPod } from './cluster-metrics.ts'
import { rulesFile } from './dashboard.ts'
import { LoggerPod, type PodPlan } from './logger-pod.ts'
import { Prometheus } from './prometheus.ts'
import { podMonitorJob, serviceMonitorJob } from './targets.ts'
import { WebhookProcess } from './webhook-process.ts'

/** What is on the stage. */
export interface StageOptions {
  readonly brokers: string
  readonly pods: readonly PodPlan[]
  /** Pods that Kubernetes has, beside those. */
  readonly otherPods?: readonly ObservedPod[]
  readonly scrapeIntervalMs: number
  /** Replicas of the webhook; one unless said. */
  readonly webhooks?: number
  /** For how many their certificates are valid; for a week unless said. */
  readonly certificateDays?: number
}

/** The webhook's settings file: only what is required. */
export const webhookSettings = 'image: registry.example/inference-logger:0.1.0\nkafka: {brokers: "kafka:9092"}\n'

/**
 * A cluster as Prometheus sees it: loggers and a webhook as real processes, scraped by a real Prometheus with the labels that
 * the chart's PodMonitor and ServiceMonitor give, and the chart's rules; kube-state-metrics and the API server are played.
 */
export class Stage {
  readonly startedAt = new Date()
  readonly prometheus: Prometheus
  readonly webhooks: readonly WebhookProcess[]
  readonly cluster: ClusterMetrics
  readonly #pods: readonly LoggerPod[]
  readonly #removeFolder: () => void

  private constructor(
    prometheus: Prometheus,
    webhooks: readonly WebhookProcess[],
    cluster: ClusterMetrics,
    pods: readonly LoggerPod[],
    removeFolder: () => void
  ) {
    this.prometheus = prometheus
    this.webhooks = webhooks
    this.cluster = cluster
    this.#pods = pods
    this.#removeFolder = removeFolder
  }

  /** Starts everything. */
  static async start(options: StageOptions): Promise<Stage> {
    const { brokers, pods: plans, otherPods = [], scrapeIntervalMs, certificateDays = 7 } = options
    const folder = await mkdtemp(join(tmpdir(), 'inference-logger-stage-'))
    const removeFolder = atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
    const ports = await freePorts(2 * plans.length)
    const pods = plans.map(
      (plan, index) =>
        new LoggerPod(plan, { brokers, folder, port: ports[2 * index] ?? 0, opsPort: ports[2 * index + 1] ?? 0 })
    )
    const cluster = new ClusterMetrics([...plans.map(observed), ...otherPods])
    const started: (() => Promise<void> | void)[] = [removeFolder]
    try {
      const clusterAddress = await cluster.start()
      started.push(() => cluster.stop())
      const webhooks: WebhookProcess[] = []
      while (webhooks.length < (options.webhooks ?? 1)) {
        const webhook = await WebhookProcess.start(webhookSettings, certificateDays)
        webhooks.push(webhook)
        started.push(() => webhook.close())
      }
      for (const pod of pods) {
        started.push(() => pod.close())
        await pod.start()
      }
      const prometheus = await Prometheus.start({
        scrapeIntervalMs,
        ruleFiles: [rulesFile()],
        jobs: [
          podMonitorJob(
            'inference-logger/inference-logger',
            'il-metrics',
            pods.map(({ scraped }) => scraped)
          ),
          serviceMonitorJob(
            'inference-logger/inference-logger-webhook',
            'inference-logger-webhook',
            'metrics',
            webhooks.map(({ opsAddress }, index) => ({
              namespace: 'inference-logger',
              pod: `inference-logger-webhook-${index}`,
              labels: {},
              container: 'webhook',
              port: 'metrics',
              address: opsAddress
            }))
          ),
          clusterMetricsJob(clusterAddress)
        ]
      })
      return new Stage(prometheus, webhooks, cluster, pods, removeFolder)
    } catch (error) {
      for (const close of started.reverse()) await close()
      throw error
    }
  }

  /** The first of the webhook's replicas. */
  get webhook(): WebhookProcess {
    const [first] = this.webhooks
    if (first === undefined) throw new RangeError('there is no webhook')
    return first
  }

  /** The pod of that name. */
  pod(name: string): LoggerPod {
    const pod = this.#pods.find(({ plan }) => plan.pod === name)
    if (pod === undefined) throw new RangeError(`there is no pod ${name}`)
    return pod
  }

  /** Ends a logger's process by SIGKILL and starts it again; Kubernetes counts it. */
  async restart(name: string, meanwhile?: () => Promise<void>): Promise<void> {
    await this.pod(name).restart(meanwhile)
    const counted = this.cluster.pods.find(({ pod }) => pod === name)
    if (counted !== undefined) counted.restarts++
  }

  async close(): Promise<void> {
    await this.prometheus.close()
    for (const pod of this.#pods) await pod.close()
    for (const webhook of this.webhooks) await webhook.close()
    await this.cluster.stop()
    this.#removeFolder()
  }
}

function observed({ namespace, pod, inferenceService }: PodPlan): ObservedPod {
  return inferenceService === undefined
    ? { namespace, pod, containers: ['inference-logger'], initContainers: [], restarts: 0 }
    : { namespace, pod, containers: ['kserve-container', 'agent'], initContainers: ['inference-logger'], restarts: 0 }
}
