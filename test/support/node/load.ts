import { Agent, request } from 'node:http'

/** How predictions come. */
export interface LoadOptions {
  /** Of the agent's port. */
  url: string
  perSecond: number
  /** Size of each request's body. */
  bodyBytes?: number
}

const tickMs = 20
const patienceMs = 30_000

/** Predictions at a rate, whatever becomes of those before. */
export class Load {
  /** Predictions that were answered 200. */
  succeeded = 0
  /** Why those that were not answered 200 were not. */
  readonly failures: string[] = []
  readonly #url: string
  readonly #body: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #timer: NodeJS.Timeout
  #inFlight = 0
  #settled: () => void = () => {}

  constructor({ url, perSecond, bodyBytes = 60 }: LoadOptions) {
    this.#url = url
    this.#body = JSON.stringify({ instances: [Array(Math.max(1, Math.round(bodyBytes / 4))).fill(5.1)] })
    const started = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) * perSecond) / 1000)
      for (; sent < due; sent++) this.#send()
    }, tickMs)
  }

  /** Ends when all predictions have been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#inFlight > 0) await new Promise<void>(resolve => (this.#settled = resolve))
    this.#agent.destroy()
  }

  #send(): void {
    this.#inFlight++
    let done = false
    const ended = (failure?: string): void => {
      if (done) return
      done = true
      if (failure === undefined) this.succeeded++
      else this.failures.push(failure)
      if (--this.#inFlight === 0) this.#settled()
    }
    const outgoing = request(
      `${this.#url}/v1/models/model:predict`,
      {
        method: 'POST',
        agent: this.#agent,
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(this.#body) }
      },
      response => {
        const { statusCode } = response.resume()
        response.once('close', () => ended(statusCode === 200 ? undefined : `status ${statusCode}`))
      }
    )
    outgoing.setTimeout(patienceMs, () => outgoing.destroy(new Error(`no answer in ${patienceMs} ms`)))
    outgoing.once('error', error => ended(error.message))
    outgoing.end(this.#body)
  }
}
