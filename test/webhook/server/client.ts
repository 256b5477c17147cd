import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import { resolve } from 'node:path'
import type { TestContext } from 'node:test'

/** What a test looks at of a response. */
export interface AdmissionResponse {
  readonly uid: string
  readonly allowed: boolean
  readonly patchType?: string
  readonly patch?: string
  readonly warnings?: readonly string[]
  readonly auditAnnotations?: Readonly<Record<string, string>>
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string }
}

/** An answer over HTTPS. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** How a request differs from the API server's. */
export interface RequestOptions {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sends each part after the one before it, chunked. */
  readonly parts?: readonly Buffer[]
}

/** A client as the API server is one: HTTPS with keep-alive, trusting one CA, no client certificate. */
export class AdmissionClient {
  readonly agent: Agent
  readonly #port: number

  /** @param address `host:port`; it is reached as localhost, which is in the certificate */
  constructor(t: Pick<TestContext, 'after'>, address: string, ca: string, maxSockets = Infinity) {
    this.#port = Number(address.split(':').at(-1))
    this.agent = new Agent({ keepAlive: true, ca, maxSockets, host: '127.0.0.1' })
    t.after(() => this.agent.destroy())
  }

  /** Sends a request. @throws {Error} when the connection fails */
  send(body: Buffer | string, options: RequestOptions = {}): Promise<Answer> {
    const { method = 'POST', path = '/mutate?timeout=10s', headers = {}, parts } = options
    const length = parts === undefined ? { 'Content-Length': String(Buffer.byteLength(body)) } : {}
    return new Promise((resolvePromise, reject) => {
      const outgoing = request(
        {
          agent: this.agent,
          host: '127.0.0.1',
          servername: 'localhost',
          port: this.#port,
          method,
          path,
          headers: { 'Content-Type': 'application/json', ...length, ...headers }
        },
        response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('error', reject)
          response.on('end', () =>
            resolvePromise({ status: response.statusCode ?? 0, headers: response.headers, body: text })
          )
        }
      )
      outgoing.on('error', reject)
      if (parts === undefined) outgoing.end(body)
      else {
        for (const part of parts) outgoing.write(part)
        outgoing.end()
      }
    })
  }

  /** Asks for an admission. @throws {Error} unless it is answered 200 */
  async review(review: object, options: RequestOptions = {}): Promise<AdmissionResponse> {
    const { status, body } = await this.send(JSON.stringify(review), options)
    if (status !== 200) throw new Error(`${status} ${body}`)
    return (JSON.parse(body) as { response: AdmissionResponse }).response
  }
}

/** An AdmissionReview, as far as tests change it. */
export interface Review {
  apiVersion: string
  kind: string
  request: Record<string, unknown> & { object: Record<string, unknown> & { metadata: Record<string, unknown> } }
}

/** The pod of an InferenceService with `logger.url: http://localhost:9480`, as a real API server sent it. */
export function realReview(): Review {
  return JSON.parse(readFileSync(resolve('test/fixtures/admission/logger-localhost.json'), 'utf8')) as Review
}
