import type { ContainerState, ContainerStatus, Pod } from 'kubernetes-types/core/v1.js'
import { request } from 'undici'
import { type KubernetesClient, pathOf } from '../kubernetes/client.ts'
import { eventually } from '../kubernetes/wait.ts'
import { type Metrics, parseMetrics } from '../sidecar-process.ts'
import { Answers } from './answers.ts'
import { Cgroup } from './cgroup.ts'
import { Load, type LoadOptions } from './load.ts'
import { agentPorts, type PredictorOptions, predictorPod } from './predictor-pod.ts'

/** What the webhook calls the sidecar. */
export const sidecarName = 'inference-logger'

const metricsPort = 9481

/** A predictor's pod on the node. */
export class Predictor {
  readonly name: string
  readonly podName: string
  /** Of the topic that the sidecar's default gives it. */
  readonly topic: string
  readonly #client: KubernetesClient
  readonly #path: string
  #address = ''
  #answers: Answers | undefined

  private constructor(client: KubernetesClient, pod: Pod, name: string) {
    this.#client = client
    this.#path = pathOf(pod)
    this.name = name
    this.podName = pod.metadata?.name ?? ''
    this.topic = `${name}-inference-topic`
  }

  /** Creates the pod as KServe leaves it; the sidecar is the webhook's to add. */
  static async create(client: KubernetesClient, options: PredictorOptions): Promise<Predictor> {
    const pod = predictorPod(options)
    await client.create(pod)
    return new Predictor(client, pod, options.name)
  }

  /** The same for a pod that a Deployment made of {@link predictorPod}. */
  static of(client: KubernetesClient, pod: Pod, name: string): Predictor {
    return new Predictor(client, { apiVersion: 'v1', kind: 'Pod', ...pod }, name)
  }

  pod(): Promise<Pod> {
    return this.#client.get<Pod>(this.#path)
  }

  /** Waits until the pod is as wanted. */
  waitFor(what: string, condition: (pod: Pod) => boolean, timeoutMs = 60_000): Promise<Pod> {
    let last: Pod | undefined
    const asking = eventually(
      `${this.podName}: ${what}`,
      async () => {
        last = await this.pod()
        return condition(last) && last
      },
      timeoutMs
    )
    return asking.catch((error: unknown) => {
      throw new Error(`${String(error)}\n${JSON.stringify(last?.status, undefined, 1)}`, { cause: error })
    })
  }

  /** Waits until the pod is Ready, and listens to its agent from then on. */
  async ready(timeoutMs = 90_000): Promise<void> {
    const { status } = await this.waitFor('Ready', isReady, timeoutMs)
    this.#address = status?.podIP ?? ''
    this.#answers = new Answers(`http://${this.#address}:${agentPorts.answers}/`)
  }

  /** Of the pod, on the node's bridge; there is none before it is Ready. */
  get address(): string {
    if (this.#address === '') throw new Error(`${this.podName} was not waited for`)
    return this.#address
  }

  /** What the agent says about its events. */
  get answers(): Answers {
    if (this.#answers === undefined) throw new Error(`${this.podName} was not waited for`)
    return this.#answers
  }

  /** Predictions at a rate, until they are stopped. */
  load(options: Omit<LoadOptions, 'url'>): Load {
    return new Load({ url: `http://${this.address}:${agentPorts.predictions}`, ...options })
  }

  /** Predictions for some time; resolves when each was answered, and so was what the agent has sent of them. */
  async predict(forMs: number, options: Omit<LoadOptions, 'url'>): Promise<Load> {
    const load = this.load(options)
    await new Promise(resolve => setTimeout(resolve, forMs))
    await load.stop()
    await this.settled()
    return load
  }

  /** Waits until the agent has sent all that it logged, and {@link answers} are complete. */
  async settled(): Promise<void> {
    const { answers } = this
    const response = await request(`http://${this.address}:${agentPorts.answers}/settled`, { headersTimeout: 60_000 })
    const sent = Number(await response.body.text())
    await eventually('all answers', () => answers.count >= sent)
  }

  /** The sidecar's status, of whatever form it is. */
  async sidecar(): Promise<ContainerStatus> {
    return statusOf(await this.pod(), sidecarName)
  }

  /** The cgroup of the container that the sidecar has now. */
  async cgroup(): Promise<Cgroup> {
    return Cgroup.of((await this.sidecar()).containerID ?? '')
  }

  /** Sends a signal to the sidecar's process. @returns its id on this machine */
  async signal(signal: NodeJS.Signals): Promise<number> {
    const [pid] = (await this.cgroup()).processes
    if (pid === undefined) throw new Error('the sidecar has no process')
    process.kill(pid, signal)
    return pid
  }

  async metrics(): Promise<Metrics> {
    return parseMetrics(await (await request(`http://${this.address}:${metricsPort}/metrics`)).body.text())
  }

  /** Waits until the sidecar's metrics are as wanted; while it is not there, they are not. */
  async waitForMetrics(what: string, condition: (metrics: Metrics) => boolean, timeoutMs = 60_000): Promise<Metrics> {
    let last: Metrics | undefined
    const asking = eventually(
      `${this.podName}: ${what}`,
      async () => {
        last = await this.metrics().catch(() => undefined)
        return last !== undefined && condition(last) && last
      },
      timeoutMs
    )
    return asking.catch((error: unknown) => {
      const counters = [...(last ?? [])].filter(([name]) => name.startsWith('inference_logger_events_'))
      throw new Error(`${String(error)}\n${JSON.stringify(Object.fromEntries(counters))}`, { cause: error })
    })
  }

  /** Waits until the agent has sent, and the sidecar delivered, everything. */
  async delivered(timeoutMs = 60_000): Promise<Metrics> {
    await this.settled()
    return this.waitForMetrics('delivered', metrics => metrics.get('inference_logger_events_pending') === 0, timeoutMs)
  }

  /** What `kubectl delete pod` does, without waiting. */
  delete(): Promise<void> {
    return this.#client.delete(this.#path)
  }

  /** Waits until every container of the deleted pod has ended, and lets the pod go. @returns it as it was in the end */
  async gone(timeoutMs = 90_000): Promise<Pod> {
    const pod = await this.waitFor('ended', hasEnded, timeoutMs)
    await this.#client.patch(this.#path, { metadata: { finalizers: null } })
    return pod
  }
}

/** @throws when the pod has no such container, or says nothing about it yet */
export function statusOf(pod: Pod, name: string): ContainerStatus {
  const found = statuses(pod).find(status => status.name === name)
  if (found === undefined) throw new Error(`no status of ${name} in ${pod.metadata?.name}`)
  return found
}

/** How a container ended. @throws when it did not */
export function terminationOf(pod: Pod, name: string): NonNullable<ContainerState['terminated']> {
  const { state } = statusOf(pod, name)
  if (state?.terminated === undefined) throw new Error(`${name} has not ended: ${JSON.stringify(state)}`)
  return state.terminated
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

function hasEnded(pod: Pod): boolean {
  const all = statuses(pod)
  return all.length > 0 && all.every(({ state }) => state?.terminated !== undefined)
}

function statuses({ status }: Pod): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
}
