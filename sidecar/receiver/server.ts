import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ListenAddress } from '../config/addresses.ts'
import { listenAll } from '../listen.ts'
import { answerClientError } from './client-errors.ts'
import { Rejection, replyRejected, type RejectReason } from './replies.ts'

/** Longer than the 90 s for which Go keeps an idle connection: the sender closes first, and no request meets a closing one. */
const KEEP_ALIVE_MS = 120_000
/** Node's 16 KiB would refuse KServe's metadata header when a client sends large headers of its own. */
const MAX_HEADER_BYTES = 64 * 1024
const CHECK_INTERVAL_MS = 5000
const IDLE_CHECK_MS = 20

/** Limits of the receiver's HTTP servers. */
export interface ReceiverLimits {
  readonly maxConnections: number
  /** ms for a whole request */
  readonly requestTimeout: number
}

/** The listening side of the receiver: one HTTP server an address, all with the same handler. */
export class ReceiverServer {
  readonly #servers: Server[]
  readonly #listen: readonly ListenAddress[]
  #lastRequestAt = performance.now()

  /**
   * @param handler takes each request
   * @param onRejected told of what was refused before there was a request
   */
  constructor(
    listen: readonly ListenAddress[],
    limits: ReceiverLimits,
    handler: (request: IncomingMessage, response: ServerResponse) => void,
    onRejected: (reason: RejectReason) => void
  ) {
    this.#listen = listen
    this.#servers = listen.map(() => {
      const server = createServer({
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
        // node:http would refuse by itself, uncounted; and an event without Host can be kept like any other.
        requireHostHeader: false,
        requestTimeout: limits.requestTimeout,
        headersTimeout: Math.ceil(limits.requestTimeout / 3),
        connectionsCheckingInterval: CHECK_INTERVAL_MS
      })
      // A sender that has said all it has to say still wants its answer, which may wait for the disk or for Kafka.
      Object.assign(server, { httpAllowHalfOpen: true })
      server.maxConnections = limits.maxConnections
      server.on('request', (request, response) => {
        this.#lastRequestAt = performance.now()
        handler(request, response)
      })
      server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
        this.#lastRequestAt = performance.now()
        // A body that is too large is refused before it is sent, which is what the header is for.
        handler(request, response)
        if (!response.headersSent && request.socket.writable) response.writeContinue()
      })
      server.on('checkExpectation', (_request, response: ServerResponse) => {
        onRejected('expectation_failed')
        replyRejected(response, new Rejection('expectation_failed', 'the only expectation supported is 100-continue'))
      })
      server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
        const reason = answerClientError(error, socket as Socket)
        if (reason !== undefined) onRejected(reason)
      })
      server.on('drop', () => onRejected('too_many_connections'))
      return server
    })
  }

  /**
   * Starts to listen on every address.
   * @returns what is listened on, with the ports that were picked
   * @throws {ListenError}
   */
  async start(): Promise<string[]> {
    return await listenAll(this.#servers, this.#listen, 'INFERENCE_LOGGER_LISTEN')
  }

  /** ms since the last request began, or since the start. */
  get idleMs(): number {
    return performance.now() - this.#lastRequestAt
  }

  /** Takes no new connection, answers the requests that are there, and closes. Resolves when everything is closed. */
  async stop(timeoutMs: number): Promise<void> {
    await Promise.all(
      this.#servers.map(async server => {
        if (!server.listening) return
        const closed = new Promise(resolve => server.close(resolve))
        server.closeIdleConnections()
        // A connection whose last reply comes from now on is idle only then, and node:http does not look again.
        const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
        const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
        await closed
        clearInterval(idle)
        clearTimeout(timer)
      })
    )
  }
}
