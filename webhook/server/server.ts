import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ListenAddress } from '../../sidecar/config/addresses.ts'
import { listenAll } from '../../sidecar/listen.ts'

const MIN_VERSION = 'TLSv1.2'
/**
 * Longer than the 90 s for which the API server keeps an idle connection: it closes first, and no admission meets a
 * closing one. The time for headers counts from a connection's begin, and the API server also keeps connections that it
 * has opened and never used.
 */
const KEEP_ALIVE_MS = 120_000
const HEADERS_MS = 125_000
const REQUEST_MS = 160_000
const HANDSHAKE_MS = 10_000
/** ms that a connection made just before the end has for its request to arrive. */
const FRESH_MS = 200

/** Bounds on what anybody can make the server hold. */
export interface ServerLimits {
  readonly maxConnections: number
  /** ms from a connection's begin, or a request's first byte, to the end of its headers */
  readonly headersTimeoutMs: number
  readonly handshakeTimeoutMs: number
}

/** The webhook's server. */
export interface AdmissionServerOptions {
  readonly listen: ListenAddress
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** Somebody and we could not agree on TLS. */
  readonly onTlsError: (error: NodeJS.ErrnoException) => void
  /** A connection was refused because there are too many. */
  readonly onDropped: () => void
  readonly limits?: Partial<ServerLimits>
}

/** HTTPS with a certificate that comes, and changes, while it runs. */
export class AdmissionServer {
  readonly #server: Server
  readonly #listen: ListenAddress
  /** All of them: node:http does not know those whose handshake is not over. */
  readonly #sockets = new Set<Duplex>()
  /** Those after the handshake and before their first request, which node:http does not call idle. */
  readonly #unused = new Set<Duplex>()

  constructor({ listen, handler, onTlsError, onDropped, limits = {} }: AdmissionServerOptions) {
    const headersTimeout = limits.headersTimeoutMs ?? HEADERS_MS
    this.#listen = listen
    this.#server = createServer(
      {
        minVersion: MIN_VERSION,
        handshakeTimeout: limits.handshakeTimeoutMs ?? HANDSHAKE_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout,
        requestTimeout: Math.max(REQUEST_MS, headersTimeout),
        connectionsCheckingInterval: Math.min(5000, headersTimeout / 2)
      },
      (request, response) => {
        this.#unused.delete(request.socket)
        handler(request, response)
      }
    )
    this.#server.maxConnections = limits.maxConnections ?? 1000
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('secureConnection', socket => {
      this.#unused.add(socket)
      socket.once('close', () => this.#unused.delete(socket))
    })
    this.#server.on('tlsClientError', onTlsError)
    this.#server.on('drop', onDropped)
  }

  /**
   * Sets the certificate for handshakes from now on; connections that are there go on with theirs.
   * @param pair PEM, the certificate with its chain
   * @throws {Error} when OpenSSL does not take it
   */
  setCertificate({ cert, key }: { readonly cert: string; readonly key: string }): void {
    this.#server.setSecureContext({ cert, key, minVersion: MIN_VERSION })
  }

  /** @returns the address, with the port that was picked @throws {ListenError} */
  async start(): Promise<string> {
    const [address] = await listenAll([this.#server], [this.#listen], '--listen (WEBHOOK_LISTEN)')
    return address ?? ''
  }

  /**
   * Takes no new connection, answers the requests that are there, and closes; what is left after the time is cut off.
   * Replies must end their connections from before this is called.
   */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise(resolve => this.#server.once('close', resolve))
    const deadline = setTimeout(() => this.#cut(), timeoutMs)
    // Only stops listening. A connection that was made, or used, just now may be about to send a request.
    NetServer.prototype.close.call(this.#server)
    await Promise.race([closed, sleep(Math.min(FRESH_MS, timeoutMs))])
    this.#server.close()
    for (const socket of this.#unused) socket.destroy()
    await closed
    clearTimeout(deadline)
  }

  #cut(): void {
    this.#server.closeAllConnections()
    for (const socket of this.#sockets) socket.destroy()
  }
}
