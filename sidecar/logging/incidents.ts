import type { Logger } from 'pino'

/** A line per kind of incident and minute, so that an outage of Kafka does not fill the node's disk. */
const EVERY_MS = 60_000

/**
 * Logs incidents: the first of a kind at once, then at most one line a minute with the number of those in between.
 */
export class IncidentLog {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #kinds = new Map<string, { until: number; suppressed: number }>()

  /** @param now monotonic ms */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger
    this.#now = now
  }

  /**
   * @param kind what is counted together; from a bounded set
   * @param fields never a payload, never a secret
   */
  report(level: 'info' | 'warn' | 'error', kind: string, fields: object, message: string): void {
    const now = this.#now()
    const known = this.#kinds.get(kind)
    if (known !== undefined && now < known.until) {
      known.suppressed++
      return
    }
    const suppressed = known?.suppressed ?? 0
    this.#kinds.set(kind, { until: now + EVERY_MS, suppressed: 0 })
    this.#logger[level](suppressed > 0 ? { ...fields, sinceLastLine: suppressed } : fields, message)
  }
}
