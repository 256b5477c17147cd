import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { authority, until } from './harness.ts'

/** A connection after its handshake, with all that it received. */
export async function open(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert, ...options })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return new Connection(socket)
}

/** A client that is no HTTP client: it sends what it is told, when it is told. */
export class Connection {
  readonly socket: TLSSocket
  received = ''
  closed = false

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (data: Buffer) => (this.received += data.toString()))
    socket.on('error', () => {})
    socket.on('close', () => (this.closed = true))
  }

  /** Sends a text; resolves when a further answer has come. */
  async ask(text: string): Promise<string> {
    const before = this.answers
    this.socket.write(text)
    await until('an answer', () => this.answers > before || this.closed)
    return this.received
  }

  get answers(): number {
    return this.received.split('HTTP/1.1 ').length - 1
  }
}
