import type { Attribute, AttributeValue } from './event.ts'
import { InvalidEventError, type OnIrregular } from './errors.ts'

/** Specification versions that are taken; what becomes of each is in docs/receiving.md. */
const SPEC_VERSIONS: ReadonlySet<unknown> = new Set(['1.0', '0.3', '0.2'])

const LEGAL_NAME = /^[a-z0-9]+$/
/** RFC 3339, as far as it can be told without a calendar; a wrong day of the month is not our sender's mistake to pay for. */
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/** CloudEvents 0.2 names that became others in 1.0 (0.2 spec.md, 1.0 spec.md "Context Attributes"). */
const RENAMED_SINCE_02: ReadonlyMap<string, string> = new Map([
  ['schemaurl', 'dataschema'],
  ['contenttype', 'datacontenttype']
])

/**
 * Turns the attributes of a 0.2 event into those of a 1.0 event. No consumer of the Kafka binding knows 0.2: KFServing
 * 0.3 is its only sender.
 */
export function upgradeFrom02(attributes: readonly Attribute[]): Attribute[] {
  return attributes.flatMap(({ name, value }) => {
    if (name === 'specversion') return { name, value: '1.0' }
    const renamed = RENAMED_SINCE_02.get(name) ?? name
    // Where both are there the name of 1.0 wins: it is what the Content-Type header became.
    return renamed !== name && attributes.some(one => one.name === renamed) ? [] : { name: renamed, value }
  })
}

/**
 * Checks what an event cannot be kept without: a known `specversion` and non-empty `id`, `source` and `type`
 * (spec 3 "REQUIRED Attributes").
 * @throws {InvalidEventError} naming everything that is missing
 */
export function checkRequired(attributes: readonly Attribute[]): void {
  let found = 0
  for (const { name, value } of attributes) {
    switch (name) {
      case 'id':
        if (value !== '') found |= 1
        break
      case 'source':
        if (value !== '') found |= 2
        break
      case 'type':
        if (value !== '') found |= 4
        break
      case 'specversion':
        if (!SPEC_VERSIONS.has(value)) {
          throw new InvalidEventError(
            'unsupported_specversion',
            `specversion ${JSON.stringify(String(value).slice(0, 40))} is not supported; send 1.0 (0.3 and 0.2 are taken too)`
          )
        }
        found |= 8
        break
      default:
    }
  }
  if (found === 15) return
  const missing = ['id', 'source', 'type', 'specversion'].filter((_, bit) => (found & (1 << bit)) === 0)
  throw new InvalidEventError('missing_attribute', `required attribute missing or empty: ${missing.join(', ')}`)
}

/** Counts what is against the specification and kept all the same: names, `time`. Values were seen to when they were read. */
export function noteIrregular(attributes: readonly Attribute[], onIrregular: OnIrregular): void {
  for (const { name, value } of attributes) {
    if (name === 'time') {
      if (!isTimestamp(value)) onIrregular('time')
    } else if (!isLegalName(name)) onIrregular('attribute_name')
  }
}

/** Whether a value has the form of RFC 3339; kept as the text it came in either way. */
export function isTimestamp(value: AttributeValue): boolean {
  return typeof value === 'string' && RFC3339.test(value)
}

/** Text that Kafka headers can carry: node-rdkafka cuts at NUL, and half a surrogate pair has no UTF-8. */
export function isClean(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** Whether a value has control characters: forbidden (spec 3.1), but they survive every format we write. */
export function hasControlCharacter(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f-\u009f]/.test(text)
}

/** Attribute names (spec 2 "Naming conventions"): lower-case letters and digits; `data` is the payload's. */
export function isLegalName(name: string): boolean {
  return LEGAL_NAME.test(name) && name !== 'data'
}
