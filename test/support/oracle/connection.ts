import { connect, type Socket } from 'node:net'

/** No connection came about: nothing of the request has left this process. */
export class NotSentError extends Error {}

/** The request went out and no answer came: whether it was taken is not known. */
export class NoAnswerError extends Error {}

interface Waiting {
  resolve: (status: number) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/**
 * One keep-alive connection to an HTTP server that may die at any moment, one request at a time. Cheaper than node:http's
 * client, which on a small machine would take more of it than what is tested.
 */
export class Connection {
  readonly #port: number
  readonly #timeoutMs: number
  #socket: Socket | undefined
  #answer = ''
  #waiting: Waiting | undefined

  /** @param timeoutMs how long an answer may take */
  constructor(port: number, timeoutMs: number) {
    this.#port = port
    this.#timeoutMs = timeoutMs
  }

  /**
   * Sends a whole request and returns the status of its answer.
   * @throws {NotSentError | NoAnswerError}
   */
  async send(request: Buffer): Promise<number> {
    const socket = this.#socket ?? (await this.#open())
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#lost(new NoAnswerError(`no answer in ${this.#timeoutMs} ms`)),
        this.#timeoutMs
      )
      this.#waiting = { resolve, reject, timer }
      socket.write(request)
    })
  }

  close(): void {
    this.#lost(new NoAnswerError('closed by us'))
  }

  #open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
      const refused = (error: Error): void => reject(new NotSentError(error.message))
      socket.once('error', refused)
      socket.once('connect', () => {
        socket.off('error', refused)
        socket.on('error', error => this.#lost(new NoAnswerError(error.message), socket))
        socket.on('close', () => this.#lost(new NoAnswerError('the connection was closed'), socket))
        socket.on('data', chunk => this.#read(chunk))
        this.#socket = socket
        resolve(socket)
      })
    })
  }

  #read(chunk: Buffer): void {
    this.#answer += chunk.toString('latin1')
    const end = this.#answer.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#answer)?.[1] ?? 0)
    if (this.#answer.length < end + 4 + length) return
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#answer)?.[1] ?? 0)
    this.#answer = ''
    const waiting = this.#settle()
    waiting?.resolve(status)
  }

  #lost(error: Error, socket = this.#socket): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    this.#answer = ''
    socket?.destroy()
    this.#settle()?.reject(error)
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    clearTimeout(waiting?.timer)
    return waiting
  }
}
