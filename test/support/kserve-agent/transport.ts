import { Connection, ConnectionError, type Reply } from './connection.ts'

export interface TransportOptions {
  host: string
  port: number
  /** `MaxIdleConnsPerHost`. */
  maxIdle: number
  /** `IdleConnTimeout` in milliseconds. */
  idleTimeoutMs: number
}

interface Idle {
  connection: Connection
  timer: NodeJS.Timeout
}

interface Waiter {
  resolve: (connection: Connection) => void
  reject: (error: Error) => void
  served: boolean
}

/** The connection pool of Go's http.DefaultTransport for a single host. */
export class GoTransport {
  connectionsOpened = 0
  /** Requests that were repeated because their idle connection had died before anything was written. */
  retries = 0
  #options: TransportOptions
  #idle: Idle[] = []
  #waiting: Waiter[] = []
  #open = new Set<Connection>()
  #closed = false

  constructor(options: TransportOptions) {
    this.#options = options
  }

  get idleConnections(): number {
    return this.#idle.length
  }

  /**
   * Sends a request over an idle connection or a new one.
   *
   * Go repeats a request only over a reused connection, and a POST (which it does not take for idempotent) only if
   * nothing of it was written: a sink that closes a connection while a request is on its way to it loses the event.
   *
   * @throws Error when the sink cannot be reached or the connection ends without an answer
   */
  async roundTrip(bytes: Buffer): Promise<Reply> {
    for (;;) {
      const connection = await this.#get()
      const { reused } = connection
      try {
        const reply = await connection.roundTrip(bytes)
        if (!reply.reusable) this.#open.delete(connection)
        return reply
      } catch (error) {
        this.#open.delete(connection)
        if (this.#closed || !reused || !(error instanceof ConnectionError && error.nothingWritten)) throw error
        this.retries++
      }
    }
  }

  #release(connection: Connection): void {
    const waiter = this.#nextWaiter()
    if (waiter) return waiter.resolve(connection)
    if (this.#idle.length >= this.#options.maxIdle) return this.#discard(connection)
    const timer = setTimeout(() => {
      this.#idle = this.#idle.filter(idle => idle.connection !== connection)
      this.#discard(connection)
    }, this.#options.idleTimeoutMs)
    timer.unref()
    this.#idle.push({ connection, timer })
  }

  /** Ends every connection; requests on them fail. */
  close(): void {
    this.#closed = true
    for (const { timer } of this.#idle) clearTimeout(timer)
    this.#idle = []
    for (const connection of this.#open) connection.close()
    this.#open.clear()
  }

  async #get(): Promise<Connection> {
    for (;;) {
      // the most recently used first, as Go does
      const idle = this.#idle.pop()
      if (!idle) break
      clearTimeout(idle.timer)
      if (!idle.connection.closed) return idle.connection
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, served: false }
      this.#waiting.push(waiter)
      void this.#dialFor(waiter)
    })
  }

  /** A connection that becomes idle meanwhile may serve the waiter first; the new one then joins the idle ones. */
  async #dialFor(waiter: Waiter): Promise<void> {
    let connection: Connection
    try {
      connection = await Connection.dial(this.#options.host, this.#options.port)
    } catch (error) {
      if (waiter.served) return
      waiter.served = true
      waiter.reject(error as Error)
      return
    }
    this.connectionsOpened++
    if (this.#closed) return connection.close()
    this.#open.add(connection)
    connection.onIdle = () => this.#release(connection)
    connection.onClosed = () => {
      this.#open.delete(connection)
      this.#idle = this.#idle.filter(idle => {
        if (idle.connection === connection) clearTimeout(idle.timer)
        return idle.connection !== connection
      })
    }
    if (waiter.served) return this.#release(connection)
    waiter.served = true
    waiter.resolve(connection)
  }

  #nextWaiter(): Waiter | undefined {
    for (;;) {
      const waiter = this.#waiting.shift()
      if (!waiter) return undefined
      if (waiter.served) continue
      waiter.served = true
      return waiter
    }
  }

  #discard(connection: Connection): void {
    this.#open.delete(connection)
    connection.close()
  }
}
