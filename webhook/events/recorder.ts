import type { Logger } from 'pino'
import { IncidentLog } from '../../sidecar/logging/incidents.ts'
import type { EventResult } from '../metrics/metrics.ts'
import type { Decision } from '../server/endpoint.ts'
import type { EventSink } from './api-server.ts'
import { noticeOf, type Notice } from './event.ts'

/** A ReplicaSet that cannot make its pod tries again and again: the same Event once in this time, ms. */
const QUIET_MS = 10 * 60_000
/** Objects that are remembered for that. */
const MAX_KNOWN = 4096
/** Events that wait for the API server. */
const MAX_WAITING = 256

/** What a recorder needs. */
export interface EventRecorderOptions {
  readonly sink: EventSink
  /** This process's name: the pod's. */
  readonly instance: string
  readonly count: (result: EventResult) => void
  readonly logger: Logger
  /** ms since 1970 */
  readonly now?: () => number
  readonly maxWaiting?: number
  readonly maxKnown?: number
}

/**
 * Tells the owners of pods what was decided, as Kubernetes Events: one at a time, behind the admissions' back. What
 * fails is counted and forgotten.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #incidents: IncidentLog
  readonly #now: () => number
  readonly #maxWaiting: number
  readonly #maxKnown: number
  /** When each was told last, the oldest first. */
  readonly #known = new Map<string, number>()
  readonly #waiting: Notice[] = []
  #sending: Promise<void> | undefined
  #stopped = false

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#incidents = new IncidentLog(options.logger)
    this.#now = options.now ?? Date.now
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING
    this.#maxKnown = options.maxKnown ?? MAX_KNOWN
  }

  /** Takes a decision to tell; returns at once, and never throws. */
  record(decision: Decision): void {
    const now = this.#now()
    const notice = noticeOf(decision, this.#options.instance, now)
    if (notice === undefined || this.#stopped || this.#toldLately(notice.key, now)) return
    if (this.#waiting.length >= this.#maxWaiting) {
      this.#options.count('dropped')
      this.#incidents.report('warn', 'dropped', {}, 'Kubernetes Events are dropped: too many are waiting')
      return
    }
    this.#remember(notice.key, now)
    this.#waiting.push(notice)
    this.#sending ??= this.#sendAll()
  }

  /** Takes no more, and waits for those that wait. @param timeoutMs at most */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopped = true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => (timer = setTimeout(resolve, timeoutMs)))
    await Promise.race([this.#sending, late])
    clearTimeout(timer)
    this.#waiting.length = 0
    await this.#options.sink.close()
  }

  #toldLately(key: string, now: number): boolean {
    const last = this.#known.get(key)
    return last !== undefined && now - last < QUIET_MS
  }

  #remember(key: string, now: number): void {
    this.#known.delete(key)
    this.#known.set(key, now)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#maxKnown) break
      this.#known.delete(oldest)
    }
  }

  async #sendAll(): Promise<void> {
    for (let notice = this.#waiting.shift(); notice !== undefined; notice = this.#waiting.shift()) {
      try {
        await this.#options.sink.create(notice.namespace, notice.event)
        this.#options.count('created')
      } catch (error) {
        this.#known.delete(notice.key)
        this.#options.count('failed')
        const { message } = error as Error
        this.#incidents.report('warn', 'failed', { reason: message }, `a Kubernetes Event was not created: ${message}`)
      }
    }
    this.#sending = undefined
  }
}
