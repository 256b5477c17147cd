import type { IncomingMessage } from 'node:http'
import { parseBinary } from '../cloudevents/binary.ts'
import { contentModeOf } from '../cloudevents/content-type.ts'
import { InvalidEventError, type OnIrregular } from '../cloudevents/errors.ts'
import type { CloudEvent } from '../cloudevents/event.ts'
import type { HeaderDecoding } from '../cloudevents/header-values.ts'
import { parseBatch, parseStructured } from '../cloudevents/structured.ts'
import { Rejection } from './replies.ts'

/**
 * Reads the events of a request in whatever content mode they came.
 * @returns one event; for a batch any number, none included
 * @throws {InvalidEventError | Rejection} when they cannot be kept
 */
export function eventsOf(
  request: IncomingMessage,
  body: Buffer,
  decoding: HeaderDecoding,
  onIrregular: OnIrregular
): CloudEvent[] {
  const { headers } = request
  const mode = contentModeOf(headers['content-type'])
  if (mode === 'binary') return [parseBinary(request.rawHeaders, body, decoding, onIrregular)]
  // A format unknown to us, with the attributes in headers all the same, is data like any other (HTTP binding 3).
  if (mode === 'unsupported-structured' && headers['ce-specversion'] !== undefined) {
    return [parseBinary(request.rawHeaders, body, decoding, onIrregular)]
  }
  if (mode === 'unsupported-structured' || mode === 'unsupported-batch') {
    throw new InvalidEventError(
      'unsupported_format',
      'of the CloudEvents formats only application/cloudevents+json and application/cloudevents-batch+json in UTF-8 are supported'
    )
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Rejection(
      'unsupported_content_encoding',
      'a structured event or batch must not be compressed (Content-Encoding)'
    )
  }
  return mode === 'structured' ? [parseStructured(body, onIrregular)] : parseBatch(body, onIrregular)
}
