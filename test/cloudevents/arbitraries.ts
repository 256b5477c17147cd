import fc from 'fast-check'
import { onTheWire } from './reading.ts'

/** A JSON text with whatever spacing and spelling JSON allows, and the texts of its members or elements as written. */
export interface JsonText {
  text: string
  members: { key: string; value: string }[]
}

const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
const number = fc.stringMatching(/^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?$/)
const scalar = fc.oneof(number, fc.constantFrom('true', 'false', 'null'))
/** Strings full of what a scanner may trip over: quotes, backslashes, brackets, escapes of all of them, half a surrogate. */
const quoted = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\\"',
        '\\\\',
        '\\/',
        '\\n',
        '\\u0022',
        '\\u005d',
        '\\u005C',
        '\\ud83d\\ude00',
        '\\ud800',
        '\\u0000'
      ),
      fc.constantFrom('[', ']', '{', '}', ',', ':', ' ', 'data', 'é', '😀', '\u2028', '\u007f'),
      fc.stringMatching(/^[a-z]{1,4}$/)
    ),
    { maxLength: 6 }
  )
  .map(pieces => `"${pieces.join('')}"`)

const { value } = fc.letrec<{ value: string; array: string; object: string }>(tie => ({
  array: fc
    .tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 4 }))
    .map(([empty, elements]) => `[${elements.length === 0 ? empty : elements.map(one => one.join('')).join(',')}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, quoted, space, space, tie('value'), space), { maxLength: 4 }))
    .map(([empty, members]) => {
      const texts = members.map(([a, key, b, c, one, d]) => `${a}${key}${b}:${c}${one}${d}`)
      return `{${texts.length === 0 ? empty : texts.join(',')}}`
    }),
  value: fc.oneof({ depthSize: 'small', maxDepth: 5 }, scalar, quoted, tie('array'), tie('object'))
}))

/** Any JSON text, without spaces around it. */
export const jsonValue: fc.Arbitrary<string> = value

/** A JSON object, duplicate keys included: they come from a small pool. */
export const jsonObject: fc.Arbitrary<JsonText> = fc
  .tuple(
    space,
    fc.array(
      fc.tuple(
        space,
        fc.oneof(fc.constantFrom('"data"', '"d\\u0061ta"', '""', '"__proto__"'), quoted),
        space,
        space,
        value,
        space
      )
    ),
    space
  )
  .map(([before, members, after]) => ({
    text: `${before}{${members.map(([a, key, b, c, one, d]) => `${a}${key}${b}:${c}${one}${d}`).join(',')}}${after}`,
    members: members.map(([, key, , , one]) => ({ key: JSON.parse(key) as string, value: one }))
  }))

/** A JSON array; its elements are members whose key is their index. */
export const jsonArray: fc.Arbitrary<JsonText> = fc
  .tuple(space, fc.array(fc.tuple(space, value, space)), space)
  .map(([before, elements, after]) => ({
    text: `${before}[${elements.map(one => one.join('')).join(',')}]${after}`,
    members: elements.map(([, one], index) => ({ key: String(index), value: one }))
  }))

/** Header bytes that node:http lets through: tab, and everything from space to 0xff but DEL; one character a byte. */
export const headerBytes: fc.Arbitrary<string> = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(9), fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })))
    .map(bytes => String.fromCharCode(...bytes)),
  // Random bytes seldom are an escape, a quoted string or UTF-8.
  fc
    .array(
      fc.oneof(
        fc.stringMatching(/^%[0-9a-fA-F]{2}$/),
        fc.constantFrom('%00', '%', '%C3%A9', '\\', '"', 'a', onTheWire('é'))
      )
    )
    .chain(pieces => fc.constantFrom(pieces.join(''), `"${pieces.join('')}"`))
)

/** Text that can be a header value as it is: no control characters, no space at the ends. */
export const headerText: fc.Arbitrary<string> = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .map(text => text.replace(/\p{Cc}/gu, '').trim())

const reserved: ReadonlySet<string> = new Set([
  'id',
  'source',
  'specversion',
  'type',
  'time',
  'subject',
  'dataschema',
  'datacontenttype',
  // Not of 1.0, but the SDK gives them a meaning in any version, and the envelope one to contentencoding.
  'data',
  'schemaurl',
  'datacontentencoding',
  'partitionkey',
  'contentencoding'
])

/** The name of an extension. */
export const extensionName: fc.Arbitrary<string> = fc
  .oneof(fc.stringMatching(/^[a-z0-9]{1,20}$/), fc.constantFrom('constructor', 'endpoint', 'metadata'))
  .filter(name => !reserved.has(name))

/** A time as RFC 3339 allows it: fractions of any length, offsets. */
export const time: fc.Arbitrary<string> = fc
  .tuple(
    fc.date({ min: new Date('1970-01-02T00:00:00Z'), max: new Date('2200-01-01T00:00:00Z'), noInvalidDate: true }),
    fc.stringMatching(/^(\.[0-9]{1,12})?$/),
    fc.constantFrom('Z', '+00:00', '-08:00', '+05:30')
  )
  .map(([date, fraction, zone]) => `${date.toISOString().slice(0, 19)}${fraction}${zone}`)
