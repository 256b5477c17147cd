import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { request } from 'undici'
import type { CertificatePair } from '../certificates.ts'
import { type LogLine, mainScript, type Metrics, parseLogLine, parseMetrics } from '../sidecar-process.ts'
import { Guard } from './guard.ts'
import { eventually } from './wait.ts'

/** What `inference-logger webhook` is started with. */
export interface WebhookProcessOptions {
  certificate: CertificatePair
  /** The settings file: JSON, which is YAML. */
  settings?: object
  /** Further arguments: `--drain`. */
  args?: readonly string[]
  /** It makes Kubernetes Events there, with this token. */
  events?: { apiServer: string; ca: string; token: string }
}

/** The least that settings can say. */
export const leastSettings = { image: 'inference-logger:test', kafka: { brokers: 'kafka.example:9092' } }

/** The built program's `webhook` as a process of its own, its files mounted as the kubelet mounts them. */
export class WebhookProcess {
  readonly logs: LogLine[] = []
  /** Resolves with the exit code (null: a signal ended it) when its log is complete. */
  readonly exited: Promise<number | null>
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #settings: Mounted
  readonly #certificates: Mounted
  #errors = ''
  #listen = ''
  #ops = ''

  private constructor({ certificate, settings = leastSettings, args = [], events }: WebhookProcessOptions) {
    this.#folder = mkdtempSync(join(tmpdir(), 'inference-logger-webhook-'))
    this.#settings = new Mounted(join(this.#folder, 'settings'), { 'settings.yaml': JSON.stringify(settings) })
    this.#certificates = new Mounted(join(this.#folder, 'certificates'), filesOf(certificate))
    const own = [
      ['--settings', join(this.#settings.folder, 'settings.yaml')],
      ['--certificates', this.#certificates.folder],
      ['--listen', '127.0.0.1:0'],
      ['--ops-listen', '127.0.0.1:0'],
      ['--log-level', 'debug']
    ].flat()
    const asPod = events === undefined ? undefined : this.#asPod(events)
    const words = [
      ...(asPod?.nodeArguments ?? []),
      mainScript(),
      'webhook',
      ...own,
      ...(asPod ? ['--events'] : []),
      ...args
    ]
    const child = spawn(process.execPath, words, {
      env: { ...inherited(), ...asPod?.env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#child = child
    const guard = new Guard(this.#folder)
    guard.watch(child)
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', line => this.logs.push(parseLogLine(line)))
    child.stderr.on('data', (text: Buffer) => (this.#errors += text.toString()))
    this.exited = new Promise(resolve => {
      child.once('error', error => (this.#errors += error.message))
      child.once('close', code => {
        guard.dismiss()
        rmSync(this.#folder, { recursive: true, force: true })
        resolve(code)
      })
    })
  }

  /** Starts it and waits until it says that it is ready. Rejects with what it said instead. */
  static async start(options: WebhookProcessOptions): Promise<WebhookProcess> {
    const webhook = new WebhookProcess(options)
    try {
      const ready = await webhook.waitForLog(({ msg }) => msg === 'ready', 'ready')
      webhook.#listen = ready['listen'] as string
      webhook.#ops = ready['ops'] as string
      return webhook
    } catch (error) {
      await webhook.close()
      throw error
    }
  }

  /** For `clientConfig.url`. */
  get url(): string {
    return `https://localhost:${this.port}/mutate`
  }

  get port(): number {
    return Number(this.#listen.split(':').at(-1))
  }

  async metrics(): Promise<Metrics> {
    return parseMetrics(await this.#get('/metrics'))
  }

  /** What a readiness probe would find. */
  async isReady(): Promise<boolean> {
    try {
      return (await request(`http://${this.#ops}/readyz`)).statusCode === 200
    } catch {
      return false
    }
  }

  /** What `kubectl apply` of the ConfigMap comes to. */
  setSettings(settings: object): void {
    this.#settings.set({ 'settings.yaml': JSON.stringify(settings) })
  }

  /** What a renewed Secret comes to. */
  setCertificate(certificate: CertificatePair): void {
    this.#certificates.set(filesOf(certificate))
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The first log line for which `condition` holds, also one of long ago. */
  waitForLog(condition: (line: LogLine) => boolean, what: string): Promise<LogLine> {
    return eventually(`${what} in the webhook's log`, () => {
      const line = this.logs.find(condition)
      const { exitCode } = this.#child
      if (line === undefined && exitCode !== null) {
        const said = this.logs.map(each => JSON.stringify(each))
        throw new Error([`the webhook ended with ${exitCode}`, ...said, this.#errors].join('\n'))
      }
      return line
    })
  }

  /** SIGKILL, unless it has ended already. */
  async close(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  #asPod({ apiServer, ca, token }: NonNullable<WebhookProcessOptions['events']>): {
    nodeArguments: string[]
    env: Record<string, string>
  } {
    const account = new Mounted(join(this.#folder, 'service-account'), { token, 'ca.crt': ca })
    const { hostname, port } = new URL(apiServer)
    return {
      nodeArguments: ['--import', pathToFileURL(join(import.meta.dirname, 'service-account.js')).href],
      env: {
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        TEST_SERVICE_ACCOUNT: account.folder
      }
    }
  }

  async #get(path: string): Promise<string> {
    return (await request(`http://${this.#ops}${path}`)).body.text()
  }
}

/** A folder that changes as a mounted ConfigMap or Secret does: all files at once, by a link to a new folder. */
class Mounted {
  readonly folder: string
  #version = 0

  constructor(folder: string, files: Readonly<Record<string, string>>) {
    this.folder = folder
    mkdirSync(folder)
    this.set(files)
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(folder, name))
  }

  set(files: Readonly<Record<string, string>>): void {
    const old = `..version-${this.#version++}`
    const version = `..version-${this.#version}`
    mkdirSync(join(this.folder, version))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, version, name), text)
    symlinkSync(version, join(this.folder, '..data_tmp'))
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'))
    rmSync(join(this.folder, old), { recursive: true, force: true })
  }
}

function filesOf({ cert, key }: CertificatePair): Record<string, string> {
  return { 'tls.crt': cert, 'tls.key': key }
}

/** This process's environment without what would configure the program or tell it that it is a test. */
function inherited(): NodeJS.ProcessEnv {
  const notInherited = /^(?:KAFKA_|INFERENCE_|WEBHOOK_|KUBERNETES_|NODE_TEST_CONTEXT$|POD_)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !notInherited.test(name)))
}
