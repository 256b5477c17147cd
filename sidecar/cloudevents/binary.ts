import { checkRequired, isClean, isLegalName, isTimestamp, upgradeFrom02 } from './attributes.ts'
import { decodeBase64 } from './base64.ts'
import { InvalidEventError, type OnIrregular } from './errors.ts'
import { attribute, type Attribute, type CloudEvent } from './event.ts'
import { decodeHeaderValue, isPlain, utf8Of, type HeaderDecoding } from './header-values.ts'

/** What a request header is to an event. Worked out once per spelling: see {@link roleOf}. */
type Role =
  | {
      readonly kind: 'attribute'
      readonly name: string
      readonly legal: boolean
      readonly isTime: boolean
      /** The last value that was taken as it stood: most attributes of a sender are the same in every event. */
      last: Attribute | undefined
    }
  | { readonly kind: 'content-type' }
  | { readonly kind: 'other' }

const OTHER: Role = { kind: 'other' }
const CONTENT_TYPE: Role = { kind: 'content-type' }

/** Raw header name, as spelt by the sender, to its role: a sender spells a name the same way in every request. */
const roles = new Map<string, Role>()
const MAX_CACHED_NAMES = 2000

function roleOf(rawName: string): Role {
  let role = roles.get(rawName)
  if (role === undefined) {
    const name = rawName.toLowerCase()
    if (name.startsWith('ce-') && name.length > 3) {
      const attribute = name.slice(3)
      role = {
        kind: 'attribute',
        name: attribute,
        legal: isLegalName(attribute),
        isTime: attribute === 'time',
        last: undefined
      }
    } else role = name === 'content-type' ? CONTENT_TYPE : OTHER
    // Names are the sender's to choose: without a bound this map would be a leak.
    if (roles.size < MAX_CACHED_NAMES) roles.set(rawName, role)
  }
  return role
}

/**
 * Reads an event in binary content mode (HTTP binding 3.1). The hot path: no SDK (9 times the cost, and it rewrites
 * `time`), one pass over the headers, the body not looked at.
 * @param rawHeaders names and values alternating, as node:http's `rawHeaders`
 * @throws {InvalidEventError} when it is no event that can be kept
 */
export function parseBinary(
  rawHeaders: readonly string[],
  body: Buffer,
  decoding: HeaderDecoding,
  onIrregular: OnIrregular
): CloudEvent {
  const attributes: Attribute[] = []
  let contentType: string | undefined
  let hasDataContentType = false
  let before10: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const raw = rawHeaders[i + 1] ?? ''
    const role = roleOf(rawHeaders[i] ?? '')
    if (role.kind === 'other') continue
    if (role.kind === 'content-type') {
      if (contentType !== undefined) continue
      contentType = utf8Of(raw, onIrregular)
      attributes.push({ name: 'datacontenttype', value: contentType })
      continue
    }
    if (role.last !== undefined && role.last.value === raw) {
      addOrJoin(attributes, role.last)
      continue
    }
    const value = decodeHeaderValue(role.name, raw, decoding, onIrregular)
    if (!role.legal) onIrregular('attribute_name')
    else if (role.isTime && !isTimestamp(value)) onIrregular('time')
    if (role.name === 'datacontenttype') hasDataContentType = true
    else if (role.name === 'specversion' && value !== '1.0') before10 = value
    const one: Attribute = { name: role.name, value }
    if (isWorthKeeping(role, raw)) role.last = one
    addOrJoin(attributes, one)
  }
  if (attributes.length === (contentType === undefined ? 0 : 1)) {
    throw new InvalidEventError(
      'not_a_cloudevent',
      'no ce- headers and no application/cloudevents+json content type: send a CloudEvent (binary, structured or batched)'
    )
  }
  let event: CloudEvent = { attributes, data: body }
  if (hasDataContentType) event = { attributes: settleContentType(attributes, contentType, onIrregular), data: body }
  checkRequired(event.attributes)
  if (before10 === undefined) return event
  if (before10 !== '0.2') return decodeBody(event)
  const upgraded = upgradeFrom02(readAgainAs02(event.attributes, rawHeaders))
  checkRequired(upgraded)
  return decodeBody({ attributes: upgraded, data: body })
}

/** Quotes around a 0.2 value are those of a JSON string and not HTTP's (KFServing 0.3: sdk-go's codec_v02.go). */
function readAgainAs02(attributes: readonly Attribute[], rawHeaders: readonly string[]): Attribute[] {
  return attributes.map(one => {
    const texts = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === `ce-${one.name}`)
    const [text] = texts
    if (texts.length !== 1 || !text?.startsWith('"')) return one
    const value = stringFromJson(utf8Of(text, () => {}))
    return value === undefined ? one : { name: one.name, value }
  })
}

function stringFromJson(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' && isClean(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A repeated header is one list (RFC 9110 5.3), as Node's own `headers` has it. */
function addOrJoin(attributes: Attribute[], one: Attribute): void {
  const { name, value } = one
  for (let i = 0; i < attributes.length; i++) {
    const known = attributes[i]
    if (known?.name === name && name !== 'datacontenttype') {
      attributes[i] = { name, value: `${known.value}, ${value}` }
      return
    }
  }
  attributes.push(one)
}

/** Names whose values differ in every event, or are looked at beyond their text. */
const NOT_KEPT: ReadonlySet<string> = new Set(['id', 'time', 'recordedtime', 'datacontenttype'])
const MAX_KEPT_LENGTH = 256

/**
 * Whether the next event may share this attribute: one object and one string for all events in the queue. Only what
 * needed no decoding and was regular, so that taking it again is exactly what reading it again would be.
 */
function isWorthKeeping(role: { name: string; legal: boolean }, raw: string): boolean {
  if (!role.legal || raw.length > MAX_KEPT_LENGTH || NOT_KEPT.has(role.name) || !isPlain(raw)) return false
  return role.name !== 'specversion' || raw === '1.0'
}

/** `ce-datacontenttype` MUST NOT be present (HTTP binding 3.1.1): where it is, Content-Type wins, and one of them stays. */
function settleContentType(
  attributes: Attribute[],
  contentType: string | undefined,
  onIrregular: OnIrregular
): Attribute[] {
  onIrregular('ce_datacontenttype')
  let kept = false
  return attributes.filter(({ name, value }) => {
    if (name !== 'datacontenttype') return true
    if (kept || (contentType !== undefined && value !== contentType)) return false
    return (kept = true)
  })
}

/**
 * CloudEvents before 1.0 let a body be base64 text (`datacontentencoding`, 0.3 spec 3.1). Inside, data is always the
 * payload itself, so it is decoded at the door and the attribute goes.
 */
function decodeBody(event: CloudEvent): CloudEvent {
  if (String(attribute(event, 'datacontentencoding')).toLowerCase() !== 'base64') return event
  return {
    attributes: event.attributes.filter(({ name }) => name !== 'datacontentencoding'),
    data: decodeBase64(event.data.toString('latin1'), 'the body that datacontentencoding=base64 announces')
  }
}
