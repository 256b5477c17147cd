import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AdmissionClient } from '../../webhook/server/client.ts'
import { CertificateAuthority } from '../certificates.ts'
import { freePorts } from '../kafka/ports.ts'
import { mainScript } from '../sidecar-process.ts'
import { atEnd } from './at-end.ts'

const startTimeoutMs = 15_000

/** `inference-logger webhook` as a process of its own, with a certificate and settings of its own, and a client for it. */
export class WebhookProcess {
  /** Where `/metrics` is, `host:port`. */
  readonly opsAddress: string
  readonly client: AdmissionClient
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #after: () => void
  readonly #end: () => void

  private constructor(child: ChildProcess, folder: string, opsAddress: string, listen: string, ca: string) {
    this.#child = child
    this.#folder = folder
    this.opsAddress = opsAddress
    let destroy = (): void => {}
    this.client = new AdmissionClient({ after: stop => (destroy = stop as () => void) }, listen, ca)
    this.#after = () => destroy()
    this.#end = atEnd(() => {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
  }

  /**
   * Starts one and waits until it is ready.
   * @param settings the text of its settings file
   * @param days that its certificate is valid for
   */
  static async start(settings: string, days: number): Promise<WebhookProcess> {
    const authority = await CertificateAuthority.create()
    const notAfter = new Date(Date.now() + days * 86_400_000)
    const { cert, key } = await authority.server(['localhost'], { notAfter })
    const folder = await mkdtemp(join(tmpdir(), 'inference-logger-webhook-'))
    const [port = 0, opsPort = 0] = await freePorts(2)
    await writeFile(join(folder, 'tls.crt'), cert)
    await writeFile(join(folder, 'tls.key'), key)
    await writeFile(join(folder, 'settings.yaml'), settings)
    const flags = {
      settings: join(folder, 'settings.yaml'),
      certificates: folder,
      listen: `127.0.0.1:${port}`,
      'ops-listen': `127.0.0.1:${opsPort}`
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const child = spawn(process.execPath, [mainScript(), 'webhook', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const webhook = new WebhookProcess(child, folder, `127.0.0.1:${opsPort}`, flags.listen, authority.cert)
    try {
      await isReady(child)
      return webhook
    } catch (error) {
      await webhook.close()
      throw error
    }
  }

  /** Writes the settings file anew; the process notices. */
  async setSettings(settings: string): Promise<void> {
    await writeFile(join(this.#folder, 'settings.yaml'), settings)
  }

  async close(): Promise<void> {
    this.#after()
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'close')
    }
    this.#end()
  }
}

async function isReady(child: ChildProcess): Promise<void> {
  const lines: string[] = []
  if (child.stdout === null) throw new Error('no standard output')
  const output = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve, reject) => {
    output.on('line', line => {
      if (lines.length < 50) lines.push(line)
      if (line.includes('"msg":"ready"')) resolve()
    })
    child.once('close', () => reject(new Error(`the webhook has ended:\n${lines.join('\n')}`)))
    setTimeout(() => reject(new Error(`the webhook is not ready:\n${lines.join('\n')}`)), startTimeoutMs).unref()
  })
  await ready
}
