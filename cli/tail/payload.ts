import { isUtf8 } from 'node:buffer'
import { mediaType } from '../../sidecar/cloudevents/content-type.ts'
import { isGzip } from '../../sidecar/records/gzip.ts'
import { gunzip } from './gzip.ts'
import { parseEventStream } from './server-sent-events.ts'
import { formatBytes } from './units.ts'
import { splitTensors } from './tensors.ts'

/** A payload for a person. */
export interface ShownPayload {
  /** What it is, where that is not plain text; else empty. */
  readonly note: string
  /** One line, not safe for a terminal yet; at least the characters asked for, when the payload has them. */
  readonly text: string
}

/** Bytes of a binary payload that are shown. */
const HEX_BYTES = 16

/**
 * Describes a payload by what its bytes are and not by its content type, which KServe copies from the request.
 * @param data null for a tombstone
 * @param characters how many will be shown, so that no more is prepared of a large one; Infinity: all
 */
export function showPayload(data: Buffer | null, contentType: string | undefined, characters: number): ShownPayload {
  if (data === null) return { note: 'null: a deletion marker', text: '' }
  if (data.length === 0) return { note: 'empty body', text: '' }
  if (!isGzip(data)) return showPlain(data, contentType, characters)
  // Once only: there is gzip that decompresses to itself.
  const inner = gunzip(data)
  if (inner === undefined) return { note: 'gzip, broken or too large to show', text: '' }
  const { note, text } = showPlain(inner, contentType, characters)
  return { note: `gzip of ${formatBytes(inner.length)}${note === '' ? '' : `: ${note}`}`, text }
}

function showPlain(data: Buffer, contentType: string | undefined, characters: number): ShownPayload {
  const tensors = splitTensors(data)
  if (tensors !== undefined) {
    const text = oneLine(tensors.json, characters)
    return { note: `JSON and ${formatBytes(tensors.tensorBytes)} of tensors`, text }
  }
  if (contentType !== undefined && mediaType(contentType).startsWith('application/grpc'))
    return { note: 'gRPC', text: hex(data) }
  if (!isUtf8(data)) return { note: 'binary', text: hex(data) }
  const stream = parseEventStream(data.toString('utf8'))
  if (stream === undefined) return { note: '', text: oneLine(data, characters) }
  return {
    note: `stream of ${stream.count} event${stream.count === 1 ? '' : 's'}`,
    text: stream.generated === undefined ? stream.events.join(' ⏎ ') : JSON.stringify(stream.generated)
  }
}

function hex(data: Buffer): string {
  const bytes = [...data.subarray(0, HEX_BYTES)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
  return data.length > HEX_BYTES ? `${bytes} …` : bytes
}

/** Text on one line. The indentation of JSON goes: there, a line break is never inside a string. */
function oneLine(data: Buffer, characters: number): string {
  // Indentation takes characters of what is cut here; four bytes a character, and as much again.
  const text = data.subarray(0, characters * 8 + 4096).toString('utf8')
  if (!/^\s*[{[]/.test(text)) return text
  return text
    .split(/[\r\n]+/)
    .map(line => line.trim())
    .join('')
}
