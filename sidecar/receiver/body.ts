import type { IncomingMessage } from 'node:http'
import { Rejection } from './replies.ts'

const EMPTY = Buffer.alloc(0)

/**
 * Collects a request's body.
 * @param limit most bytes taken
 * @param done called once: with the body, or with the rejection as soon as it is known to be too large. Not called at
 *   all when the sender goes away first.
 */
export function readBody(request: IncomingMessage, limit: number, done: (result: Buffer | Rejection) => void): void {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > limit) return done(tooLarge(limit))
  let first: Buffer | undefined
  let rest: Buffer[] | undefined
  let length = 0
  let over = false
  request.on('data', (chunk: Buffer) => {
    if (over) return
    length += chunk.length
    if (length > limit) {
      over = true
      first = rest = undefined
      done(tooLarge(limit))
    } else if (first === undefined) first = chunk
    else if (rest === undefined) rest = [first, chunk]
    else rest.push(chunk)
  })
  request.on('end', () => {
    if (over) return
    done(rest === undefined ? (first === undefined ? EMPTY : ownMemory(first)) : Buffer.concat(rest, length))
  })
  // A sender that breaks off has its connection closed by node:http; there is nobody to answer.
  request.on('error', ignore)
}

/** A small body is a view of the whole read, headers and all, which it would keep for as long as the event is pending. */
function ownMemory(body: Buffer): Buffer {
  return body.length * 2 < body.buffer.byteLength ? Buffer.from(body) : body
}

function ignore(): void {}

function tooLarge(limit: number): Rejection {
  return new Rejection('event_too_large', `the body is larger than ${limit} bytes (INFERENCE_LOGGER_MAX_EVENT_BYTES)`)
}
