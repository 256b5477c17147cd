import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Time a closing connection has to fetch its reply, ms. */
const LINGER_MS = 2000

/** A reply that is ready to be sent. */
export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  /** Further headers, names and values in turn. */
  readonly headers?: readonly string[]
}

/** A reply that is a sentence. */
export function sentence(status: number, text: string, headers: readonly string[] = []): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n`, headers }
}

/**
 * Sends a reply.
 * @param close says that the connection ends with it
 */
export function send(response: ServerResponse, reply: Reply, close: boolean): void {
  const { status, type, body, headers = [] } = reply
  const connection = close ? ['Connection', 'close'] : []
  response.writeHead(status, [
    ...['Content-Type', type, 'Content-Length', String(Buffer.byteLength(body))],
    ...headers,
    ...connection
  ])
  response.end(body)
}

/**
 * Sends a reply before the request was read to its end, and ends the connection gently: what the sender is still sending
 * is read and thrown away for a moment. A socket that is closed with unread bytes is reset, and the reply lost on its way.
 */
export function sendAndClose(response: ServerResponse, reply: Reply): void {
  const { socket } = response.req
  // What node:http calls when the last reply is out; its own way is to close at once.
  socket.destroySoon = () => {
    socket.end()
    linger(socket)
  }
  send(response, reply, true)
}

function linger(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}
