import { createServer, type Server, type ServerResponse } from 'node:http'
import type { ListenAddress } from '../config/addresses.ts'
import { listenAll } from '../listen.ts'

/** What the ops server shows. */
export interface OpsSource {
  metrics(): Promise<string>
  /** Left out: there is no `/status`. */
  status?(): object
  /** True from when requests are taken until they are not any more, never depending on Kafka; or what is missing. */
  ready(): boolean | string
}

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** `/metrics`, `/healthz`, `/readyz` and `/status`, apart from the events' address so that probes reach it. */
export class OpsServer {
  readonly #server: Server
  readonly #listen: ListenAddress
  readonly #variable: string

  /** @param variable the setting of the address, to name in an error */
  constructor(listen: ListenAddress, source: OpsSource, variable = 'INFERENCE_LOGGER_OPS_LISTEN') {
    this.#listen = listen
    this.#variable = variable
    this.#server = createServer((request, response) => {
      const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return send(response, 405, 'only GET\n', 'text/plain', ['Allow', 'GET, HEAD'])
      switch (path) {
        case '/metrics':
          source.metrics().then(
            text => send(response, 200, text, PROMETHEUS_TYPE),
            (error: unknown) => send(response, 500, `${String(error)}\n`, 'text/plain')
          )
          return
        case '/status':
          if (source.status === undefined) break
          return send(response, 200, `${JSON.stringify(source.status(), null, 2)}\n`, 'application/json')
        case '/healthz':
          return send(response, 200, 'ok\n', 'text/plain')
        case '/readyz': {
          const ready = source.ready()
          if (ready === true) return send(response, 200, 'ready\n', 'text/plain')
          return send(response, 503, `${ready === false ? 'stopping' : ready}\n`, 'text/plain; charset=utf-8')
        }
      }
      send(response, 404, `try /metrics, ${source.status ? '/status, ' : ''}/healthz or /readyz\n`, 'text/plain')
    })
    this.#server.headersTimeout = 10_000
    this.#server.requestTimeout = 10_000
    this.#server.maxConnections = 100
  }

  /** @returns the address, with the port that was picked @throws {ListenError} */
  async start(): Promise<string> {
    const [address] = await listenAll([this.#server], [this.#listen], this.#variable)
    return address ?? ''
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

function send(response: ServerResponse, status: number, body: string, type: string, extra: string[] = []): void {
  response.writeHead(status, ['Content-Type', type, 'Content-Length', String(Buffer.byteLength(body)), ...extra])
  response.end(body)
}
