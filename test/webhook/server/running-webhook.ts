import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createLogger } from '../../../sidecar/logging/logger.ts'
import { Webhook, type WebhookOptions } from '../../../webhook/webhook.ts'
import type { LogLine } from '../../cli/cli-process.ts'
import { temporaryFolder } from '../../metrics/running-sidecar.ts'
import { CertificateAuthority, type CertificatePair } from '../../support/certificates.ts'
import { AdmissionClient } from './client.ts'

export const authority = await CertificateAuthority.create()

/** Settings with nothing but what is required. */
export const SETTINGS = 'image: example/inference-logger:1\nkafka:\n  brokers: kafka-0.example:9092\n'

/** A settings file and a folder for a certificate, gone after the test. */
export class Files {
  readonly settings: string
  readonly certificates: string

  constructor(t: Pick<TestContext, 'after'>, settings = SETTINGS) {
    const folder = temporaryFolder(t)
    this.settings = join(folder, 'settings.yaml')
    this.certificates = join(folder, 'certificates')
    mkdirSync(this.certificates)
    writeFileSync(this.settings, settings)
  }

  /** Replaces the settings file, by a rename. */
  writeSettings(text: string): void {
    replace(this.settings, text)
  }

  /** Replaces the certificate and its key, one after the other. */
  writeCertificate({ cert, key }: CertificatePair): void {
    replace(join(this.certificates, 'tls.crt'), cert)
    replace(join(this.certificates, 'tls.key'), key)
  }
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** How a test's webhook differs; `certificate: undefined` leaves the folder empty. */
export interface RunningOptions extends Partial<Pick<WebhookOptions, 'events' | 'drainMs' | 'listen' | 'opsListen'>> {
  readonly certificate?: CertificatePair | undefined
  readonly settings?: string
}

/** The whole webhook in this process, on ports of its own, at log level trace; stopped when the test ends. */
export class RunningWebhook {
  readonly webhook: Webhook
  readonly files: Files
  /** Everything logged. */
  readonly text: readonly string[]
  readonly #clients: AdmissionClient[] = []

  private constructor(webhook: Webhook, files: Files, text: readonly string[]) {
    this.webhook = webhook
    this.files = files
    this.text = text
  }

  static async start(t: TestContext, options: RunningOptions = {}): Promise<RunningWebhook> {
    const { certificate = 'certificate' in options ? undefined : await authority.server(), settings, ...rest } = options
    const files = new Files(t, settings)
    if (certificate !== undefined) files.writeCertificate(certificate)
    const text: string[] = []
    const logger = createLogger('trace', 'webhook', { write: line => void text.push(line) })
    const webhook = await Webhook.start(
      {
        settings: files.settings,
        certificates: files.certificates,
        listen: { host: '127.0.0.1', port: 0 },
        opsListen: { host: '127.0.0.1', port: 0 },
        drainMs: 0,
        events: undefined,
        watch: { debounceMs: 20 },
        ...rest
      },
      logger
    )
    const running = new RunningWebhook(webhook, files, text)
    t.after(async () => {
      // Idle connections would be waited for, in case that they are about to be used.
      for (const { agent } of running.#clients) agent.destroy()
      await webhook.stop()
    })
    return running
  }

  get log(): LogLine[] {
    return this.text.map(line => JSON.parse(line) as LogLine)
  }

  client(t: TestContext, maxSockets?: number): AdmissionClient {
    const client = new AdmissionClient(t, this.webhook.listen, authority.cert, maxSockets)
    this.#clients.push(client)
    return client
  }

  /** Asks the ops server. */
  async get(path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(`http://${this.webhook.opsAddress}${path}`)
    return { status: response.status, body: await response.text() }
  }

  /** The value of a metric, by its name with labels as it is printed. */
  async metric(name: string): Promise<number> {
    const { body } = await this.get('/metrics')
    const line = body.split('\n').find(each => each.startsWith(`inference_logger_webhook_${name} `))
    return Number(line?.split(' ').at(-1))
  }
}
