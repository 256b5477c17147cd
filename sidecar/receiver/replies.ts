import type { ServerResponse } from 'node:http'
import type { InvalidReason } from '../cloudevents/errors.ts'

/** Every reason for which a request is not taken: the label `reason` of `requests_rejected_total` and of the reply. */
export type RejectReason =
  | InvalidReason
  | 'method_not_allowed'
  | 'event_too_large'
  | 'unsupported_content_encoding'
  | 'no_topic'
  | 'too_many_topics'
  | 'too_many_connections'
  | 'queue_full'
  | 'journal_failed'
  | 'stopping'
  | 'headers_too_large'
  | 'malformed_http'
  | 'request_timeout'
  | 'expectation_failed'
  | 'internal_error'

/** HTTP status per reason. A 4xx will not succeed when it is sent again; a 503 may. */
export const STATUS: Readonly<Record<RejectReason, number>> = {
  not_a_cloudevent: 400,
  missing_attribute: 400,
  invalid_attribute: 400,
  unsupported_specversion: 400,
  invalid_json: 400,
  invalid_batch: 400,
  invalid_data: 400,
  no_topic: 400,
  malformed_http: 400,
  method_not_allowed: 405,
  request_timeout: 408,
  event_too_large: 413,
  unsupported_format: 415,
  unsupported_content_encoding: 415,
  expectation_failed: 417,
  headers_too_large: 431,
  internal_error: 500,
  queue_full: 503,
  journal_failed: 503,
  stopping: 503,
  too_many_topics: 503,
  too_many_connections: 503
}

/** Seconds after which a 503 may be tried again. */
const RETRY_AFTER_SECONDS = 1

/** A request that is not taken. */
export class Rejection extends Error {
  readonly reason: RejectReason

  constructor(reason: RejectReason, message: string) {
    super(message)
    this.reason = reason
  }
}

// Made once; node:http takes an array of pairs without copying it.
const OK_HEADERS = ['Content-Length', '0']

/**
 * 200, empty, and nothing else: KServe's agent logs an error for any other status, and opens a new connection whenever
 * a body comes back.
 */
export function replyOk(response: ServerResponse): void {
  response.writeHead(200, OK_HEADERS)
  response.end()
}

/** The one line that a rejected sender gets. */
export function rejectionBody(reason: RejectReason, message: string): string {
  return `${JSON.stringify({ error: message, reason })}\n`
}

/** Headers of a rejection, names and values alternating. */
export function rejectionHeaders(reason: RejectReason, body: string): string[] {
  const headers = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))]
  if (STATUS[reason] === 405) headers.push('Allow', 'POST')
  if (STATUS[reason] === 503) headers.push('Retry-After', String(RETRY_AFTER_SECONDS))
  return headers
}

/** Answers a request that is not taken. */
export function replyRejected(response: ServerResponse, { reason, message }: Rejection): void {
  const body = rejectionBody(reason, message)
  response.writeHead(STATUS[reason], rejectionHeaders(reason, body))
  response.end(body)
}
