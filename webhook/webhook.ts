import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ListenAddress } from '../sidecar/config/addresses.ts'
import { IncidentLog } from '../sidecar/logging/incidents.ts'
import { OpsServer } from '../sidecar/ops/server.ts'
import { packageVersion } from '../sidecar/package-version.ts'
import { ApiServer, type ApiServerOptions } from './events/api-server.ts'
import { EventRecorder } from './events/recorder.ts'
import { WebhookMetrics } from './metrics/metrics.ts'
import { reviewPod } from './review-pod.ts'
import { CertificateKeeper } from './server/certificate-keeper.ts'
import { createEndpoint } from './server/endpoint.ts'
import { AdmissionObserver } from './server/observer.ts'
import { AdmissionServer } from './server/server.ts'
import { logTlsError } from './server/tls-errors.ts'
import type { ChecksProvider } from './settings/checks.ts'
import type { SettingsError } from './settings/errors.ts'
import { openSettings, type SettingsSource } from './settings/source.ts'
import type { WatchOptions } from './files/watch.ts'

/** ms that requests which are there have for their answer, when the process ends. */
const ANSWER_MS = 5000
/** ms that Kubernetes Events have then. */
const EVENTS_MS = 1000

/** Everything that a webhook is started with. */
export interface WebhookOptions {
  /** The settings file. */
  readonly settings: string
  /** The folder with `tls.crt` and `tls.key`; they may be missing, and come later. */
  readonly certificates: string
  readonly listen: ListenAddress
  readonly opsListen: ListenAddress
  /** ms of service after {@link Webhook.stop}, while everybody learns that this address is going away */
  readonly drainMs: number
  /** Where Kubernetes Events go, and who reports them; undefined: nowhere. */
  readonly events: (ApiServerOptions & { readonly instance: string }) | undefined
  readonly checks?: ChecksProvider
  readonly watch?: WatchOptions
}

/** A running webhook: server, certificate, settings, Events, and its ops server. */
export class Webhook {
  readonly #options: WebhookOptions
  readonly #logger: Logger
  readonly #settings: SettingsSource
  readonly #metrics: WebhookMetrics
  readonly #server: AdmissionServer
  readonly #certificates: CertificateKeeper
  readonly #events: EventRecorder | undefined
  readonly #ops: OpsServer
  #state: 'starting' | 'running' | 'draining' = 'starting'
  #listen = ''
  #opsAddress = ''

  private constructor(options: WebhookOptions, logger: Logger, settings: SettingsSource, metrics: WebhookMetrics) {
    this.#options = options
    this.#logger = logger
    this.#settings = settings
    this.#metrics = metrics
    this.#events = this.#createEvents()
    const observer = new AdmissionObserver(metrics, logger, decision => this.#events?.record(decision))
    const incidents = new IncidentLog(logger)
    this.#server = new AdmissionServer({
      listen: options.listen,
      handler: createEndpoint({
        reviewPod,
        settings: () => settings.current,
        observer,
        closing: () => this.#state === 'draining'
      }),
      // Without a certificate every handshake fails, and that was said.
      onTlsError: error => {
        if (this.#certificates.inService) logTlsError(incidents, error)
      },
      onDropped: () => incidents.report('warn', 'dropped', {}, 'connections are refused: there are too many')
    })
    this.#certificates = new CertificateKeeper({
      folder: options.certificates,
      apply: certificate => {
        this.#server.setCertificate(certificate)
        metrics.certificateExpiry.set(certificate.notAfter / 1000)
      },
      onReload: result => metrics.certificateReload(result),
      onChange: () => this.#tellReady(),
      logger,
      ...(options.watch === undefined ? {} : { watch: options.watch })
    })
    this.#ops = new OpsServer(
      options.opsListen,
      { metrics: () => metrics.render(), ready: () => this.notReady ?? true },
      '--ops-listen (WEBHOOK_OPS_LISTEN)'
    )
  }

  /**
   * Starts everything. There may be no certificate yet.
   * @throws {SettingsError} when the settings file is wrong
   * @throws {ListenError} when an address cannot be listened on
   */
  static async start(options: WebhookOptions, logger: Logger): Promise<Webhook> {
    const metrics = new WebhookMetrics({ version: packageVersion(), node: process.versions.node })
    const { checks, watch } = options
    const settings = await openSettings(options.settings, {
      reloaded: () => {
        metrics.settingsReload('success')
        logger.info('settings reloaded')
      },
      refused: error => {
        metrics.settingsReload('failure')
        logMistakes(error, (fields, message) => logger.error(fields, `the old settings stay: ${message}`))
      },
      ...(checks === undefined ? {} : { checks }),
      ...(watch === undefined ? {} : { watch })
    })
    const webhook = new Webhook(options, logger, settings, metrics)
    try {
      webhook.#opsAddress = await webhook.#ops.start()
      webhook.#listen = await webhook.#server.start()
    } catch (error) {
      await webhook.#close()
      throw error
    }
    webhook.#state = 'running'
    webhook.#tellReady()
    return webhook
  }

  /** Where the API server's requests are taken, `host:port`. */
  get listen(): string {
    return this.#listen
  }

  /** Where `/metrics` and the rest are, `host:port`. */
  get opsAddress(): string {
    return this.#opsAddress
  }

  /** Why no requests should be sent here, in a sentence; undefined: they should. */
  get notReady(): string | undefined {
    if (this.#state !== 'running') return this.#state === 'starting' ? 'starting' : 'stopping'
    return this.#certificates.problem
  }

  /**
   * Ends without failing an admission: says that it is not ready, and serves on while the API servers learn it, with
   * replies that end their connections; then closes.
   */
  async stop(): Promise<void> {
    this.#state = 'draining'
    await sleep(this.#options.drainMs)
    await this.#close()
  }

  async #close(): Promise<void> {
    await this.#server.stop(ANSWER_MS)
    this.#certificates.stop()
    this.#settings.stop()
    await this.#events?.stop(EVENTS_MS)
    await this.#ops.stop()
  }

  #createEvents(): EventRecorder | undefined {
    const { events } = this.#options
    if (events === undefined) return undefined
    return new EventRecorder({
      sink: new ApiServer(events),
      instance: events.instance,
      count: result => this.#metrics.event(result),
      logger: this.#logger
    })
  }

  /** Once it can be used, each time. */
  #tellReady(): void {
    if (this.notReady === undefined) this.#logger.info({ listen: this.#listen, ops: this.#opsAddress }, 'ready')
  }
}

/** Says everything that is wrong with a settings file, a line each. */
export function logMistakes({ mistakes }: SettingsError, log: (fields: object, message: string) => void): void {
  for (const { path, value, advice } of mistakes) log({ setting: path, value }, `${path}: ${advice}`)
}
