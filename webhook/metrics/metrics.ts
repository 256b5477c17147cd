import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { PlainHistogram } from '../../sidecar/metrics/histogram.ts'
import type { ReasonCode } from '../decide/reasons.ts'
import type { Report } from '../review.ts'

const PREFIX = 'inference_logger_webhook_'
/** Seconds. The API server waits for a few of them at most, with a pod behind it. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5]

/** What becomes of a request: the label `result`. */
export type RequestResult = Report['result'] | 'error'
/** Why: the label `reason`. The first code of a decision's, or what kept us from one. */
export type RequestReason = ReasonCode | 'other_operation' | 'bad_request' | 'overloaded' | 'internal'
/** What becomes of a Kubernetes Event. */
export type EventResult = 'created' | 'failed' | 'dropped'
/** What becomes of a file that changed. */
export type ReloadResult = 'success' | 'failure'

/** Versions for `build_info`. */
export interface WebhookBuildInfo {
  readonly version: string
  readonly node: string
}

/** Everything under the webhook's `/metrics`. The names are an interface: docs/webhook.md, changed with a major version only. */
export class WebhookMetrics {
  readonly registry = new Registry()
  readonly requestDuration: PlainHistogram
  readonly requestsInFlight: Gauge
  readonly certificateExpiry: Gauge
  readonly #requests: Counter<'result' | 'reason'>
  readonly #certificateReloads: Counter<'result'>
  readonly #settingsReloads: Counter<'result'>
  readonly #settingsSuccessful: Gauge
  readonly #events: Counter<'result'>

  constructor(build: WebhookBuildInfo) {
    const registers = [this.registry]
    this.#requests = new Counter({
      name: `${PREFIX}requests_total`,
      help: 'Requests by what became of them, and the most important reason.',
      labelNames: ['result', 'reason'],
      registers
    })
    this.requestDuration = new PlainHistogram(
      this.registry,
      `${PREFIX}request_duration_seconds`,
      'Time from a request’s headers to the reply, its body’s arrival included.',
      BUCKETS
    )
    this.requestsInFlight = new Gauge({
      name: `${PREFIX}requests_in_flight`,
      help: 'Requests that are not answered yet.',
      registers
    })
    this.certificateExpiry = new Gauge({
      name: `${PREFIX}certificate_expiry_timestamp_seconds`,
      help: 'When the certificate in service expires, in seconds since 1970; 0: there is none.',
      registers
    })
    this.#certificateReloads = this.#reloads(
      'certificate_reloads_total',
      'Changes of the certificate’s files. failure: the old one stays.'
    )
    this.#settingsReloads = this.#reloads(
      'settings_reloads_total',
      'Changes of the settings file. failure: the old settings stay.'
    )
    this.#settingsSuccessful = new Gauge({
      name: `${PREFIX}settings_last_reload_successful`,
      help: '0: the settings file is wrong, and older settings are in force.',
      registers
    })
    this.#settingsSuccessful.set(1)
    this.#events = new Counter({
      name: `${PREFIX}events_total`,
      help: 'Kubernetes Events for the owners of pods (with `--events`). dropped: too many were waiting.',
      labelNames: ['result'],
      registers
    })
    for (const result of ['created', 'failed', 'dropped'] as const) this.#events.inc({ result }, 0)
    new Gauge({
      name: `${PREFIX}build_info`,
      help: 'Always 1; the versions are in the labels.',
      labelNames: ['version', 'node'],
      registers
    }).set({ ...build }, 1)
    collectDefaultMetrics({ register: this.registry })
  }

  /** Counts a request that was answered. @param ms from its headers to the reply */
  request(result: RequestResult, reason: RequestReason, ms: number): void {
    this.#requests.inc({ result, reason })
    this.requestDuration.observe(ms / 1000)
  }

  certificateReload(result: ReloadResult): void {
    this.#certificateReloads.inc({ result })
  }

  settingsReload(result: ReloadResult): void {
    this.#settingsReloads.inc({ result })
    this.#settingsSuccessful.set(result === 'success' ? 1 : 0)
  }

  event(result: EventResult): void {
    this.#events.inc({ result })
  }

  /** The text of `/metrics`. */
  render(): Promise<string> {
    return this.registry.metrics()
  }

  #reloads(name: string, help: string): Counter<'result'> {
    const counter = new Counter({
      name: PREFIX + name,
      help,
      labelNames: ['result'] as const,
      registers: [this.registry]
    })
    for (const result of ['success', 'failure'] as const) counter.inc({ result }, 0)
    return counter
  }
}
