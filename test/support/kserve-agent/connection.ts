import { connect, type Socket } from 'node:net'
import { parseBody, parseHead } from './response.ts'

/** A sink's answer; any answer at all counts as sent for the agent. */
export interface Reply {
  status: number
  /** What the agent puts into its log line: the body of an answer that is not 2xx. */
  text: string
  /** The connection may carry another request. */
  reusable: boolean
}

/** Why a connection gave no answer. */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  /** Not one byte of the request left this machine, so that Go's transport repeats even a POST. */
  readonly nothingWritten: boolean

  constructor(message: string, nothingWritten: boolean) {
    super(message)
    this.nothingWritten = nothingWritten
  }
}

interface Exchange {
  resolve: (reply: Reply) => void
  reject: (error: Error) => void
}

/** One TCP connection with at most one request on it (persistConn in Go's net/http). */
export class Connection {
  /** A request was answered on it before. */
  reused = false
  onClosed: () => void = () => {}
  /** Called before the answer is handed over, as Go's read loop gives the connection back first. */
  onIdle: () => void = () => {}
  #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #exchange: Exchange | undefined
  #closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#read(chunk))
    socket.on('end', () => this.#fail('EOF', false))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(`${error.syscall ?? 'connection'}: ${error.code ?? error.message}`, error.syscall === 'write')
    })
    socket.on('close', () => this.#fail('use of closed network connection', true))
  }

  /** @throws Error with the system's code when nobody listens there */
  static dial(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.removeListener('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends a request and waits, without limit, for the answer.
   *
   * @throws ConnectionError when the connection ended without one
   */
  roundTrip(bytes: Buffer): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ConnectionError('server closed idle connection', true))
      this.#exchange = { resolve, reject }
      this.#socket.write(bytes)
    })
  }

  close(): void {
    this.#closed = true
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    // Go closes an idle connection on which the server speaks unasked
    if (!this.#exchange) return this.close()
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    try {
      const parsed = parseHead(this.#received)
      if (!parsed) return
      const { head, bodyStart } = parsed
      if (head.status < 200) {
        this.#received = this.#received.subarray(bodyStart)
        if (this.#received.length > 0) this.#read(Buffer.alloc(0))
        return
      }
      const acknowledged = head.status < 300
      if (head.contentLength === 0) return this.#finish(head.status, '', !head.close)
      // sdk-go v2 closes the body of a 2xx without reading it, which costs the connection; others it reads for the log
      if (acknowledged) return this.#finish(head.status, '', false)
      const body = parseBody(head, this.#received.subarray(bodyStart))
      if (body) this.#finish(head.status, body.toString(), !head.close)
    } catch (error) {
      this.#fail(String(error), false)
    }
  }

  #finish(status: number, text: string, reusable: boolean): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#received = Buffer.alloc(0)
    this.reused = true
    if (!reusable) this.close()
    else this.onIdle()
    exchange?.resolve({ status, text, reusable })
  }

  #fail(reason: string, nothingWritten: boolean): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    const wasOpen = !this.#closed
    this.close()
    // a body that only the connection's end delimits is complete now
    const parsed = exchange && this.#received.length > 0 ? parseHead(this.#received) : undefined
    if (exchange && parsed?.head.close && parsed.head.contentLength < 0 && !parsed.head.chunked) {
      const text = this.#received.toString('utf8', parsed.bodyStart)
      exchange.resolve({ status: parsed.head.status, text, reusable: false })
    } else {
      exchange?.reject(new ConnectionError(reason, nothingWritten && this.#received.length === 0))
    }
    if (wasOpen) this.onClosed()
  }
}
