import { join } from 'node:path'
import { EventSender, makeEvent } from '../events.ts'
import { SidecarProcess } from '../sidecar-process.ts'
import type { ScrapedPod } from './targets.ts'

/** A pod with a logger in it. */
export interface PodPlan {
  readonly namespace: string
  readonly pod: string
  /** undefined: a gateway */
  readonly inferenceService?: string
  readonly env?: Readonly<Record<string, string>>
}

/** What a pod is started with. */
export interface PodPlace {
  readonly brokers: string
  /** For its journal. */
  readonly folder: string
  /** Both stay the same over restarts, as a pod's address does. */
  readonly port: number
  readonly opsPort: number
}

const tickMs = 50

/** A logger, as a process, that is restarted as a kubelet would, and the agent that sends it events. */
export class LoggerPod {
  readonly plan: PodPlan
  /** As service discovery finds it. */
  readonly scraped: ScrapedPod
  /** Directory of its journal. */
  readonly folder: string
  /** Times that it was started again. */
  restarts = 0
  /** Requests a second of the model; each makes two events. */
  requestsPerSecond = 0
  /** Of an event's body. */
  bytes = 200
  readonly #env: Readonly<Record<string, string>>
  readonly #sender: EventSender
  #timer: NodeJS.Timeout | undefined
  #process: SidecarProcess | undefined
  #due = 0
  #sent = 0

  constructor(plan: PodPlan, { brokers, folder, port, opsPort }: PodPlace) {
    const { namespace, pod, inferenceService, env } = plan
    this.plan = plan
    this.folder = join(folder, pod)
    this.#env = {
      KAFKA_BROKERS: brokers,
      INFERENCE_LOGGER_DURABILITY: 'journal',
      INFERENCE_LOGGER_JOURNAL_DIR: this.folder,
      INFERENCE_LOGGER_LISTEN: `127.0.0.1:${port}`,
      INFERENCE_LOGGER_OPS_LISTEN: `127.0.0.1:${opsPort}`,
      POD_NAME: pod,
      POD_NAMESPACE: namespace,
      ...env
    }
    this.scraped = {
      namespace,
      pod,
      labels:
        inferenceService === undefined
          ? {}
          : { 'serving.kserve.io/inferenceservice': inferenceService, component: 'predictor' },
      container: 'inference-logger',
      port: 'il-metrics',
      address: `127.0.0.1:${opsPort}`
    }
    this.#sender = new EventSender(`http://127.0.0.1:${port}`)
  }

  /** The running process. */
  get process(): SidecarProcess {
    if (this.#process === undefined) throw new Error(`${this.plan.pod} does not run`)
    return this.#process
  }

  async start(): Promise<void> {
    this.#process = await SidecarProcess.start(
      { ...this.#env },
      this.plan.inferenceService === undefined ? 'gateway' : 'sidecar'
    )
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
  }

  /** SIGKILL, and a start again on the same volume. @param meanwhile while it is away */
  async restart(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.process.close()
    await meanwhile()
    await this.start()
    this.restarts++
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#sender.close()
    await this.#process?.close()
  }

  #tick(): void {
    this.#due += (this.requestsPerSecond * tickMs) / 1000
    for (; this.#due >= 1; this.#due--) {
      const number = this.#sent++
      const service = this.plan.inferenceService ?? 'many-models'
      for (const type of ['request', 'response'] as const) {
        const event = makeEvent(number, { type, service, bytes: this.bytes })
        // The agent does not care either.
        this.#sender.send(event).catch(() => {})
      }
    }
  }
}
