import { createServer, type Server, type ServerResponse } from 'node:http'
import type { ListenAddress } from '../config/addresses.ts'
import { listenAll } from '../listen.ts'

/** What the ops server shows. */
export interface OpsSource {
  metrics(): Promise<string>
  status(): object
  /** True from when events are taken until they are not any more; never depends on Kafka. */
  ready(): boolean
}

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** `/metrics`, `/healthz`, `/readyz` and `/status`, apart from the events' address so that probes reach it. */
export class OpsServer {
  readonly #server: Server
  readonly #listen: ListenAddress

  constructor(listen: ListenAddress, source: OpsSource) {
    this.#listen = listen
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
          return send(response, 200, `${JSON.stringify(source.status(), null, 2)}\n`, 'application/json')
        case '/healthz':
          return send(response, 200, 'ok\n', 'text/plain')
        case '/readyz':
          return source.ready()
            ? send(response, 200, 'ready\n', 'text/plain')
            : send(response, 503, 'stopping\n', 'text/plain')
        default:
          return send(response, 404, 'try /metrics, /status, /healthz or /readyz\n', 'text/plain')
      }
    })
    this.#server.headersTimeout = 10_000
    this.#server.requestTimeout = 10_000
    this.#server.maxConnections = 100
  }

  /** @returns the address, with the port that was picked @throws {ListenError} */
  async start(): Promise<string> {
    const [address] = await listenAll([this.#server], [this.#listen], 'INFERENCE_LOGGER_OPS_LISTEN')
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
