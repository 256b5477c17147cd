import { isUtf8 } from 'node:buffer'
import { checkRequired, hasControlCharacter, isClean, noteIrregular, upgradeFrom02 } from './attributes.ts'
import { decodeBase64 } from './base64.ts'
import { isJson } from './content-type.ts'
import { InvalidEventError, type OnIrregular } from './errors.ts'
import type { Attribute, AttributeValue, CloudEvent } from './event.ts'
import { elementSpans, memberSpans } from './json-spans.ts'

/**
 * Reads an event in structured content mode (HTTP binding 3.2, JSON event format).
 * @throws {InvalidEventError} when it is no event that can be kept
 */
export function parseStructured(body: Buffer, onIrregular: OnIrregular): CloudEvent {
  const text = textOf(body)
  return eventOf(text, parseJson(text), onIrregular)
}

/**
 * Reads a batch (HTTP binding 3.3, JSON batch format). All or nothing: one element that is no event refuses them all,
 * by its index, so that no good event can get lost behind a 200 and none is kept behind a 400.
 * @returns the events in their order; none for an empty batch, which is valid
 * @throws {InvalidEventError}
 */
export function parseBatch(body: Buffer, onIrregular: OnIrregular): CloudEvent[] {
  const text = textOf(body)
  const values = parseJson(text)
  if (!Array.isArray(values)) throw new InvalidEventError('invalid_batch', 'a batch is a JSON array of events')
  return elementSpans(text).map(({ start, end }, index) => {
    try {
      return eventOf(text.slice(start, end), values[index], onIrregular)
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      throw new InvalidEventError(error.reason, `event ${index} of the batch (none was taken): ${error.message}`)
    }
  })
}

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new InvalidEventError('invalid_json', 'the body is not UTF-8')
  return body.toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // V8's message may quote the text, and a payload must never reach a reply or a log.
    const position = / in JSON at (position \d+)(?: \(line \d+ column \d+\))?$/.exec((error as Error).message)?.[1]
    throw new InvalidEventError(
      'invalid_json',
      `the body is not JSON${position === undefined ? '' : ` (at ${position})`}`
    )
  }
}

function eventOf(text: string, value: unknown, onIrregular: OnIrregular): CloudEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidEventError('invalid_json', 'a structured event is a JSON object')
  }
  const object = value as Record<string, unknown>
  const attributes: Attribute[] = []
  for (const [name, member] of Object.entries(object)) {
    if (name === 'data' || name === 'data_base64') continue
    // JSON event format 2.2: null is absent.
    if (member !== null) attributes.push({ name: checkName(name), value: attributeValue(name, member, onIrregular) })
  }
  checkRequired(attributes)
  noteIrregular(attributes, onIrregular)
  const converted = object['specversion'] === '0.2' ? upgradeFrom02(attributes) : attributes
  return dataOf(text, object, converted)
}

function checkName(name: string): string {
  if (name === '' || !isClean(name)) {
    throw new InvalidEventError('invalid_attribute', 'an attribute name is empty or no text')
  }
  return name
}

/** For messages: a name is its sender's choice, and may be as long as a body. */
function shortened(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name
}

/** Attribute types of the JSON format (2.2): strings, integers and booleans; there is no way to carry the rest. */
function attributeValue(name: string, value: unknown, onIrregular: OnIrregular): AttributeValue {
  if (typeof value === 'string') {
    if (!isClean(value)) {
      throw new InvalidEventError(
        'invalid_attribute',
        `attribute ${shortened(name)} contains U+0000 or half a surrogate pair (spec 3.1)`
      )
    }
    if (hasControlCharacter(value)) onIrregular('attribute_value')
    return value
  }
  if (typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    // An Integer has 32 bits (spec 3.1); more of them survive all the same.
    if (value !== (value | 0)) onIrregular('attribute_value')
    return value
  }
  throw new InvalidEventError(
    'invalid_attribute',
    `attribute ${shortened(name)} is no string, integer or boolean (JSON event format 2.2)`
  )
}

function dataOf(text: string, object: Record<string, unknown>, attributes: Attribute[]): CloudEvent {
  const contentType = attributes.find(({ name }) => name === 'datacontenttype')?.value
  const base64 = object['data_base64']
  if (base64 !== undefined && base64 !== null) {
    if ('data' in object) throw new InvalidEventError('invalid_data', 'data and data_base64 exclude each other')
    if (typeof base64 !== 'string') throw new InvalidEventError('invalid_data', 'data_base64 is no string')
    return { attributes: withContentType(attributes, contentType), data: decodeBase64(base64, 'data_base64') }
  }
  if (!('data' in object)) return { attributes, data: Buffer.alloc(0) }
  const data = object['data']
  // In 1.0 an extension like any other: data_base64 took its place.
  const encoding =
    object['specversion'] === '1.0' ? undefined : attributes.find(({ name }) => name === 'datacontentencoding')
  if (String(encoding?.value).toLowerCase() === 'base64' && typeof data === 'string') {
    const rest = attributes.filter(one => one !== encoding)
    return { attributes: withContentType(rest, contentType), data: decodeBase64(data, 'data') }
  }
  const type = contentType === undefined ? undefined : String(contentType)
  // JSON event format 3.1: with a JSON content type a string is a JSON string; with any other it is the text itself.
  if (!isJson(type) && typeof data === 'string') return { attributes, data: Buffer.from(data, 'utf8') }
  const span = memberSpans(text).findLast(({ key }) => key === 'data')
  const bytes = Buffer.from(span === undefined ? '' : text.slice(span.start, span.end), 'utf8')
  return { attributes: withContentType(attributes, contentType), data: bytes }
}

/** An absent content type means JSON here, and SHOULD be said once the event leaves this format (JSON event format 3.1.2). */
function withContentType(attributes: Attribute[], contentType: AttributeValue | undefined): Attribute[] {
  return contentType === undefined
    ? [...attributes, { name: 'datacontenttype', value: 'application/json' }]
    : attributes
}
