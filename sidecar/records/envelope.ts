import { gunzipSync } from 'node:zlib'
import { isTimestamp } from '../cloudevents/attributes.ts'
import { attribute, kindOf, type CloudEvent } from '../cloudevents/event.ts'
import { isGzip } from './gzip.ts'
import { isJsonText } from './json.ts'

/** Go's zero time, which the original wrote for an event without `time`. */
const ZERO_TIME_SECONDS = -62_135_596_800

/** The value of an `envelope` record. */
export interface Envelope {
  readonly value: Buffer
  /** The payload was gzip and stands decompressed in the value. */
  readonly decompressed: boolean
}

/**
 * Writes an event as the original service did: `{"type","id","time","payload"}`, fields in that order, `time` in whole
 * seconds. The original parsed the payload and wrote it again, which rounds numbers; here it stands as it was sent.
 * What is no JSON, which the original dropped, is base64 and marked with `"payload_encoding":"base64"`.
 * @param maxBytes bound on a decompressed payload, in bytes; beyond it the payload stays compressed
 */
export function envelopeOf(event: CloudEvent, maxBytes: number): Envelope {
  const unzipped = isGzip(event.data) ? gunzip(event.data, maxBytes) : undefined
  const kind = kindOf(event)
  const head = JSON.stringify({
    type: kind === 'other' ? String(attribute(event, 'type')) : kind,
    id: String(attribute(event, 'id')),
    time: secondsOf(attribute(event, 'time'))
  }).slice(0, -1)
  const value = Buffer.from(`${head},${payloadMembers(unzipped ?? event.data)}}`, 'utf8')
  return { value, decompressed: unzipped !== undefined }
}

function payloadMembers(data: Buffer): string {
  // Invalid UTF-8 inside a JSON string becomes U+FFFD, as the original had it; a record has to be readable JSON.
  const text = data.toString('utf8')
  if (isJsonText(text)) return `"payload":${text}`
  return `"payload":"${data.toString('base64')}","payload_encoding":"base64"`
}

/** Seconds since 1970, cut and not rounded (Go's Time.Unix); the zero time for a `time` that is absent or no time. */
function secondsOf(time: unknown): number {
  // Date.parse makes a date of "1" too, and one that depends on this machine's time zone.
  const ms = typeof time === 'string' && isTimestamp(time) ? Date.parse(time) : NaN
  return Number.isNaN(ms) ? ZERO_TIME_SECONDS : Math.floor(ms / 1000)
}

function gunzip(data: Buffer, maxBytes: number): Buffer | undefined {
  try {
    return gunzipSync(data, { maxOutputLength: maxBytes })
  } catch {
    return undefined
  }
}
