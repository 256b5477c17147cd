import { contentModeOf } from '../../sidecar/cloudevents/content-type.ts'
import type { Attribute, AttributeValue, CloudEvent, EventKind } from '../../sidecar/cloudevents/event.ts'
import { memberSpans } from '../../sidecar/cloudevents/json-spans.ts'
import { parseStructured } from '../../sidecar/cloudevents/structured.ts'
import type { RecordFormat } from '../../sidecar/records/record.ts'
import type { ConsumedRecord } from './record.ts'

/** An event read back from a record, whatever format the record has. */
export interface LoggedEvent {
  /** `none`: a record that somebody else wrote; it has no attributes, and its data is the value. */
  readonly format: RecordFormat | 'none'
  readonly kind: EventKind
  /** `datacontenttype` is not among them. In the record's order. */
  readonly attributes: readonly Attribute[]
  readonly contentType: string | undefined
  /** The payload, as it was sent; null for a tombstone. */
  readonly data: Buffer | null
}

/** Recognises the format of a record from its headers and the shape of its value, and reads the event. Never throws. */
export function recognise(record: ConsumedRecord): LoggedEvent {
  const headers = attributesOf(record)
  const contentType = headers.find(({ name }) => name === 'datacontenttype')?.value
  if (contentType !== undefined && record.value !== null && contentModeOf(String(contentType)) === 'structured') {
    const event = structured(record.value)
    if (event !== undefined) return logged('structured', withMissing(event.attributes, headers), event.data)
  }
  if (record.value !== null) {
    const envelope = envelopeOf(record.value, headers)
    if (envelope !== undefined)
      return logged('envelope', withMissing(headers, envelope.attributes), envelope.data, contentType)
  }
  const format = headers.some(({ name }) => name !== 'datacontenttype') ? 'cloudevent' : 'none'
  return logged(format, headers, record.value, contentType)
}

/** The value of an attribute as text; undefined when the event lacks it. */
export function textOf(event: Pick<LoggedEvent, 'attributes'>, name: string): string | undefined {
  const found = event.attributes.find(one => one.name === name)
  return found === undefined ? undefined : String(found.value)
}

function logged(
  format: LoggedEvent['format'],
  attributes: readonly Attribute[],
  data: Buffer | null,
  contentType = attributes.find(({ name }) => name === 'datacontenttype')?.value
): LoggedEvent {
  const type = /(?:^|\.)(request|response)$/.exec(String(attributes.find(({ name }) => name === 'type')?.value))
  return {
    format,
    kind: (type?.[1] as 'request' | 'response' | undefined) ?? 'other',
    attributes: attributes.filter(({ name }) => name !== 'datacontenttype'),
    contentType: contentType === undefined ? undefined : String(contentType),
    data
  }
}

function attributesOf({ headers }: ConsumedRecord): Attribute[] {
  const attributes: Attribute[] = []
  for (const [header, value] of headers) {
    const lower = header.toLowerCase()
    const name = lower === 'content-type' ? 'datacontenttype' : lower.startsWith('ce_') ? lower.slice(3) : undefined
    if (name !== undefined && !attributes.some(one => one.name === name)) attributes.push({ name, value })
  }
  return attributes
}

function withMissing(first: readonly Attribute[], second: readonly Attribute[]): Attribute[] {
  return [...first, ...second.filter(({ name }) => name !== 'datacontenttype' && !first.some(one => one.name === name))]
}

function structured(value: Buffer): CloudEvent | undefined {
  try {
    return parseStructured(value, () => {})
  } catch {
    return undefined
  }
}

const ENVELOPE_MEMBERS = /^type,id,time,payload(?:,payload_encoding)?$/

/**
 * Reads the value of an `envelope` record: an object of exactly these members in this order. A model's own payload of
 * the same shape is told from it by the header `ce_id`, which is not the id inside.
 */
function envelopeOf(
  value: Buffer,
  headers: readonly Attribute[]
): { attributes: Attribute[]; data: Buffer } | undefined {
  if (!value.subarray(0, 9).equals(ENVELOPE_START)) return undefined
  const text = value.toString('utf8')
  let envelope: Record<string, unknown>
  try {
    envelope = JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
  const { type, id, time } = envelope
  if (!ENVELOPE_MEMBERS.test(Object.keys(envelope).join()) || typeof type !== 'string') return undefined
  if (typeof id !== 'string' || typeof time !== 'number') return undefined
  const headerId = headers.find(({ name }) => name === 'id')?.value
  if (headerId !== undefined && headerId !== id) return undefined
  const data = payloadOf(text, envelope)
  if (data === undefined) return undefined
  const attributes: [string, AttributeValue | undefined][] = [
    ['id', id],
    ['type', type],
    ['time', timeText(time)]
  ]
  return { attributes: attributes.flatMap(([name, one]) => (one === undefined ? [] : [{ name, value: one }])), data }
}

const ENVELOPE_START = Buffer.from('{"type":"')

function payloadOf(text: string, { payload, payload_encoding: encoding }: Record<string, unknown>): Buffer | undefined {
  if (encoding === 'base64' && typeof payload === 'string') return Buffer.from(payload, 'base64')
  if (encoding !== undefined) return undefined
  // The text between the braces and not the parsed value: numbers stay as they were sent.
  const span = memberSpans(text).findLast(({ key }) => key === 'payload')
  return span === undefined ? undefined : Buffer.from(text.slice(span.start, span.end), 'utf8')
}

/** Go's zero time (year 1) is how an envelope says that the event had no time. */
function timeText(seconds: number): string | undefined {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) || seconds < 0 ? undefined : date.toISOString()
}
