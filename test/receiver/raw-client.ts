import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** An answer as it stood on the wire. */
export interface RawResponse {
  readonly status: number
  /** Names in lower case; one that comes twice would have the values joined with a comma. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Speaks HTTP by hand: what a library would not send, and every byte that comes back. */
export class RawClient {
  readonly socket: Socket
  /** Resolves when the other side has closed; how does not matter. */
  readonly closed: Promise<void>
  /** Bytes that came and belong to no answer yet. */
  #received = Buffer.alloc(0)
  #waiting: (() => void)[] = []
  #isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    this.closed = new Promise(resolve => {
      socket.once('close', () => {
        this.#isClosed = true
        resolve()
        this.#wake()
      })
    })
  }

  /** @param allowHalfOpen goes on sending when the other side has ended its half */
  static async open(address: string, allowHalfOpen = false): Promise<RawClient> {
    const colon = address.lastIndexOf(':')
    const [host, port] = [address.slice(0, colon).replace(/[[\]]/g, ''), Number(address.slice(colon + 1))]
    const socket = connect({ host, port, allowHalfOpen })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes)
  }

  /**
   * Sends everything before it looks at what comes back, as senders do that write a body first. When the other side closes
   * with bytes unread, the connection is reset under the writing, and what came back is never seen.
   */
  async writeBlindly(pieces: Iterable<string>): Promise<void> {
    this.socket.pause()
    for (const piece of pieces) {
      await new Promise<void>(resolve => void this.socket.write(piece, () => resolve()))
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    this.socket.resume()
  }

  close(): void {
    this.socket.destroy()
  }

  /** Bytes received that no answer has used. */
  get leftOver(): string {
    return this.#received.toString('latin1')
  }

  /** The next answer. Rejects when the connection ends before it is complete, or after five seconds. */
  async next(timeoutMs = 5000): Promise<RawResponse> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const response = this.#take()
      if (response !== undefined) return response
      if (this.#isClosed) throw new Error(`closed before the answer was complete: ${JSON.stringify(this.leftOver)}`)
      await this.#change(deadline)
    }
  }

  async #change(deadline: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer; so far ${JSON.stringify(this.leftOver)}`)),
        deadline - Date.now()
      )
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #take(): RawResponse | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const [statusLine = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n')
    const headers = new Map<string, string>()
    for (const line of lines) {
      const [name = '', value = ''] = line.split(/:\s*(.*)/s)
      const known = headers.get(name.toLowerCase())
      headers.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`)
    }
    const bodyEnd = end + 4 + Number(headers.get('content-length') ?? 0)
    if (this.#received.length < bodyEnd) return undefined
    const body = this.#received.toString('utf8', end + 4, bodyEnd)
    this.#received = this.#received.subarray(bodyEnd)
    return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]), headers, body }
  }
}

/** Attributes of an event that is complete. */
export const EVENT_HEADERS = {
  'Ce-Id': 'an-id',
  'Ce-Specversion': '1.0',
  'Ce-Source': 'http://localhost:9081/',
  'Ce-Type': 'org.kubeflow.serving.inference.request',
  'Ce-Inferenceservicename': 'iris'
} as const

/** Writes a request as it goes over the wire; an event that is complete unless `headers` say otherwise. */
export function post(
  body: string,
  headers: Readonly<Record<string, string | undefined>> = {},
  { path = '/', method = 'POST' } = {}
): string {
  const all: Record<string, string | undefined> = {
    Host: 'localhost',
    'Content-Length': String(Buffer.byteLength(body)),
    ...EVENT_HEADERS,
    ...headers
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

/** `text` in chunked transfer coding, cut at `size`. */
export function chunked(text: string, size: number): string {
  const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
  return `${pieces.map(piece => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`
}
