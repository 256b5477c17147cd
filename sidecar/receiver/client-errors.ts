import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { rejectionBody, rejectionHeaders, STATUS, type RejectReason } from './replies.ts'

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable'
}

const MESSAGES = {
  headers_too_large: 'the headers are larger than 64 KiB',
  request_timeout: 'the request did not arrive in time (INFERENCE_LOGGER_REQUEST_TIMEOUT)',
  malformed_http: 'the request is not valid HTTP/1.1'
} as const

/** Time a closing connection has to fetch its reply, in ms. */
const LINGER_MS = 2000

/** The response to the last request of each connection. Replies keep the order of the requests: it is the last to go out. */
const lastResponses = new WeakMap<Socket, ServerResponse>()
/** Connections that have their last reply, or will have it when those before are out. */
const closing = new WeakSet<Socket>()

/**
 * A request begins.
 * @returns whether it is to be answered; false where an earlier reply has said that the connection ends
 */
export function beginRequest(response: ServerResponse): boolean {
  const { socket } = response.req
  if (closing.has(socket)) return false
  lastResponses.set(socket, response)
  return true
}

/**
 * Answers what node:http could not make a request of, and closes the connection: after such an error nothing tells
 * where the next request would begin.
 * @returns the reason, or undefined when the sender is gone and there was nothing to answer
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): RejectReason | undefined {
  const isGone = error.code === 'ECONNRESET'
  // The parser complains again about each piece that comes after an error: the answer was given, its connection lingers.
  if ((closing.has(socket) || socket.writableEnded) && !isGone) return undefined
  if (isGone || !socket.writable) {
    socket.destroy()
    return undefined
  }
  const reason =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'malformed_http'
  // An idle keep-alive connection that is closed for its age has asked nothing.
  if (reason === 'request_timeout' && socket.bytesRead === 0) {
    socket.destroy()
    return undefined
  }
  answerInTurn(socket, reason, MESSAGES[reason])
  return reason
}

/** Replies before this one may be waiting for the store: they go out first. */
function answerInTurn(socket: Socket, reason: RejectReason, message: string): void {
  const last = lastResponses.get(socket)
  if (last !== undefined && !last.req.complete && !last.headersSent) {
    // It is this request that broke off.
    replyAndClose(last, reason, message)
    return
  }
  closing.add(socket)
  if (last === undefined || last.writableFinished) writeAndLinger(socket, reason, message)
  else last.once('finish', () => writeAndLinger(socket, reason, message))
}

/**
 * Answers a request with a rejection and ends its connection gently, in its turn. What the sender is still sending is
 * read and thrown away for a moment: closing a socket with unread bytes makes the kernel reset it, and the reply is lost
 * on its way.
 */
export function replyAndClose(response: ServerResponse, reason: RejectReason, message: string): void {
  const { socket } = response.req
  closing.add(socket)
  // What node:http calls when the last reply is out; its own way is to close at once.
  socket.destroySoon = () => {
    socket.end()
    linger(socket)
  }
  const body = rejectionBody(reason, message)
  response.writeHead(STATUS[reason], [...rejectionHeaders(reason, body), 'Connection', 'close'])
  response.end(body)
}

/** The same where there is no request, hence no response to write to. */
function writeAndLinger(socket: Socket, reason: RejectReason, message: string): void {
  if (!socket.writable) return
  const status = STATUS[reason]
  const body = rejectionBody(reason, message)
  const lines = [`HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Error'}`, 'Connection: close']
  const headers = rejectionHeaders(reason, body)
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i] ?? ''}: ${headers[i + 1] ?? ''}`)
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  linger(socket)
}

function linger(socket: Socket): void {
  socket.on('error', () => {})
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
