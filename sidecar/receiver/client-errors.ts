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

/**
 * Answers what node:http could not make a request of, and closes the connection: after such an error nothing tells
 * where the next request would begin.
 * @returns the reason, or undefined when the sender is gone and there was nothing to answer
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): RejectReason | undefined {
  // The parser complains again about each piece that comes after an error: the answer was given, its connection lingers.
  if (socket.writableEnded && error.code !== 'ECONNRESET') return undefined
  if (error.code === 'ECONNRESET' || !socket.writable) {
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
  writeAndLinger(socket, reason, MESSAGES[reason])
  return reason
}

/**
 * Writes a rejection by hand and closes gently: what the sender is still sending is read and thrown away for a moment,
 * since closing a socket with unread bytes makes the kernel reset it, and the reply is lost on its way.
 */
export function writeAndLinger(socket: Socket, reason: RejectReason, message: string): void {
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
