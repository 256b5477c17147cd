import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Event } from 'kubernetes-types/core/v1.js'
import type { Agent } from 'undici'
import { formatAddress } from '../../sidecar/config/addresses.ts'
import { isRecord, text } from '../pod.ts'
import { clip } from '../server/warnings.ts'

/** Where Events go. */
export interface EventSink {
  /** @throws {Error} with a sentence that is fit for the log */
  create(namespace: string, event: Event): Promise<void>
  close(): Promise<void>
}

/** How a pod reaches its API server. */
export interface ApiServerOptions {
  readonly host: string
  readonly port: number
  /** With `token` and `ca.crt`; both are read again each time, because the kubelet renews them. */
  readonly folder: string
  /** ms for connecting, and for the answer */
  readonly timeoutMs?: number
}

/** Makes Events (core/v1) with the pod's own token. It needs `create` on `events` in the namespaces of the pods. */
export class ApiServer implements EventSink {
  readonly #options: ApiServerOptions
  readonly #origin: string
  #agent: { readonly agent: Agent; readonly ca: string } | undefined

  constructor(options: ApiServerOptions) {
    this.#options = options
    this.#origin = `https://${formatAddress(options.host, options.port)}`
  }

  async create(namespace: string, event: Event): Promise<void> {
    const { timeoutMs = 5000 } = this.#options
    // Only where Events are wanted: it takes 20 ms to load, and 5 MB.
    const { request } = await import('undici')
    const [token, ca] = await Promise.all([this.#read('token'), this.#read('ca.crt')])
    const { statusCode, body } = await request(
      `${this.#origin}/api/v1/namespaces/${encodeURIComponent(namespace)}/events`,
      {
        method: 'POST',
        dispatcher: await this.#agentFor(ca),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        headers: {
          authorization: `Bearer ${token.trim()}`,
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': 'inference-logger-webhook'
        },
        body: JSON.stringify(event)
      }
    )
    if (statusCode >= 200 && statusCode < 300) return await body.dump()
    throw new Error(`the API server answered ${statusCode}${messageOf(await body.text())}`)
  }

  async close(): Promise<void> {
    await this.#agent?.agent.destroy()
  }

  async #agentFor(ca: string): Promise<Agent> {
    if (this.#agent?.ca === ca) return this.#agent.agent
    const { Agent } = await import('undici')
    void this.#agent?.agent.close()
    const agent = new Agent({ connect: { ca, timeout: this.#options.timeoutMs ?? 5000 }, connections: 1 })
    this.#agent = { agent, ca }
    return agent
  }

  async #read(name: string): Promise<string> {
    const path = join(this.#options.folder, name)
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`, { cause: error })
    }
  }
}

/** What the API server says of an error in its Status: which permission is missing, which namespace is ending. */
function messageOf(body: string): string {
  try {
    const status: unknown = JSON.parse(body)
    const message = isRecord(status) ? text(status['message']) : undefined
    return message === undefined ? '' : `: ${clip(message, 300)}`
  } catch {
    return ''
  }
}
