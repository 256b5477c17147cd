import type { Logger } from 'pino'
import { IncidentLog } from '../../sidecar/logging/incidents.ts'
import type { WebhookMetrics } from '../metrics/metrics.ts'
import { codes, sentences } from './admission-review.ts'
import type { Decision, EndpointObserver } from './endpoint.ts'
import type { Subject } from './subject.ts'

/** What a decision is called in the log. */
const MESSAGES = { inject: 'injected', skip: 'not injected', deny: 'denied' } as const

/** Tells the metrics, the log and the owner of the pod what becomes of each admission. */
export class AdmissionObserver implements EndpointObserver {
  readonly #metrics: WebhookMetrics
  readonly #logger: Logger
  readonly #incidents: IncidentLog
  readonly #tellOwner: (decision: Decision) => void

  /** @param tellOwner makes an Event; must not throw */
  constructor(metrics: WebhookMetrics, logger: Logger, tellOwner: (decision: Decision) => void) {
    this.#metrics = metrics
    this.#logger = logger
    this.#incidents = new IncidentLog(logger)
    this.#tellOwner = tellOwner
  }

  began(): void {
    this.#metrics.requestsInFlight.inc()
  }

  ended(): void {
    this.#metrics.requestsInFlight.dec()
  }

  decided(decision: Decision): void {
    const { subject, report, dryRun, ms } = decision
    const { result } = report
    const reasons = codes(report)
    this.#metrics.request(result, report.reasons[0]?.code ?? 'internal', ms)
    const line = { ...fieldsOf(subject), result, reasons, ms: rounded(ms), dryRun }
    // Whoever reads it has to know what to correct, and has no other place: the pod was never stored.
    if (result === 'deny') this.#logger.warn({ ...line, message: sentences(report) }, MESSAGES[result])
    // Asked again because a later webhook changed the pod, as the API server's own do to nearly each: it has its line.
    else if (reasons.includes('already_injected')) this.#logger.debug(line, 'asked again')
    else this.#logger.info(line, MESSAGES[result])
    this.#tellOwner(decision)
  }

  untouched(subject: Subject, operation: string, ms: number): void {
    this.#metrics.request('skip', 'other_operation', ms)
    const fields = { ...fieldsOf(subject), operation: operation.slice(0, 20), ms: rounded(ms) }
    this.#logger.debug(fields, 'allowed without a look: only pods that are created matter')
  }

  refused(status: number, message: string, ms: number): void {
    this.#metrics.request('error', status === 503 ? 'overloaded' : 'bad_request', ms)
    this.#incidents.report('warn', message, { status }, `request refused: ${message}`)
  }

  failed(error: unknown, subject: Subject | undefined, ms: number): void {
    this.#metrics.request('error', 'internal', ms)
    const fields = { ...fieldsOf(subject), result: 'error', reasons: ['internal'], ms: rounded(ms) }
    this.#logger.error({ ...fields, ...withoutMessage(error) }, 'internal error: please report this')
  }
}

function fieldsOf(subject: Subject | undefined): object {
  if (subject === undefined) return {}
  const { namespace, name, generateName, owner } = subject
  return {
    namespace,
    ...(name === undefined ? { generateName } : { name }),
    ...(owner === undefined ? {} : { owner: `${owner.kind}/${owner.name}` })
  }
}

/** Where a fault is, without its message, which may quote the pod. */
function withoutMessage(error: unknown): { readonly error: string; readonly stack: readonly string[] } {
  if (!(error instanceof Error)) return { error: typeof error, stack: [] }
  const frames = (error.stack ?? '').split('\n').map(line => line.trim())
  return { error: error.name, stack: frames.filter(line => /^at .+:\d+:\d+\)?$/.test(line)) }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
