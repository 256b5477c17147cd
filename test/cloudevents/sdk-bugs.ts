/**
 * Where the `cloudevents` SDK (10.0.0) departs from the specification. Each predicate leaves events out of the
 * cross-checks, and has a test of its name in sdk-bugs.test.ts that fails once the SDK is fixed: then the predicate goes.
 */
import { isJson } from '../../sidecar/cloudevents/content-type.ts'

/** Kafka.toEvent and HTTP.toEvent write every `time` anew: in UTC, in whole milliseconds. */
export function sdkRewritesTime(time: unknown): boolean {
  return typeof time === 'string' && new Date(time).toISOString() !== time
}

/** An event without `time` gets the current one; a structured Kafka message without it is not read at all. */
export function sdkInventsTime(time: unknown): boolean {
  return time === undefined
}

/** HTTP.toEvent drops structured data that is 0, false, "" or null. */
export function sdkDropsFalsyData(data: unknown): boolean {
  return !data
}

/** HTTP.binary sends JSON data that is a string without its quotes, and does not send null, numbers and booleans as text. */
export function sdkSendsJsonScalarsRaw(data: unknown): boolean {
  return typeof data !== 'object' || data === null
}

/** HTTP.structured writes empty binary data as the JSON of a Buffer: its base64 is a falsy text. */
export function sdkWritesEmptyBytesAsObject(data: unknown): boolean {
  return data instanceof Uint8Array && data.length === 0
}

/** HTTP.binary neither percent-encodes nor quotes, so what looks encoded or quoted is not (HTTP binding 3.1.3.2). */
export function sdkDoesNotEncodeHeaders(text: string): boolean {
  return /[%"]/.test(text)
}

/** HTTP.binary fails for an extension called like a property of every object, which `constructor` legally is. */
export function sdkFailsForTheName(name: string): boolean {
  return name in {}
}

/** Kafka.toEvent fails for a binary-mode body that claims to be JSON and is not. */
export function sdkRefusesWhatIsNotJson(contentType: unknown, body: string): boolean {
  if (typeof contentType !== 'string' || !contentType.startsWith('application/json')) return false
  try {
    JSON.parse(body)
    return false
  } catch {
    return true
  }
}

/** Kafka.toEvent parses JSON only where the content type begins with application/json, in lower case. */
export function sdkDoesNotSeeJson(contentType: unknown): boolean {
  return typeof contentType === 'string' && isJson(contentType) && !contentType.startsWith('application/json')
}
