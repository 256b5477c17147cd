import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InvalidEventError, Irregularity } from '../../sidecar/cloudevents/errors.ts'
import { decodeHeaderValue, type HeaderDecoding } from '../../sidecar/cloudevents/header-values.ts'
import { onTheWire } from './reading.ts'

const refused = Symbol('refused')
type Expected = string | typeof refused | readonly [string, ...Irregularity[]]

function decode(wire: string, decoding: HeaderDecoding): Expected {
  const irregular: Irregularity[] = []
  try {
    const value = decodeHeaderValue('x', wire, decoding, what => irregular.push(what))
    return irregular.length === 0 ? value : [value, ...irregular]
  } catch (error) {
    assert.equal((error as InvalidEventError).reason, 'invalid_attribute')
    return refused
  }
}

/** What was sent, as bytes of UTF-8, and what each setting makes of it; an array adds the irregularities counted. */
const cases: Readonly<Record<string, { sent: string; auto: Expected; strict: Expected; raw: Expected }>> = {
  'plain text is left alone': { sent: 'a b+c', auto: 'a b+c', strict: 'a b+c', raw: 'a b+c' },
  'an empty value stays empty': { sent: '', auto: '', strict: '', raw: '' },
  'UTF-8 bytes are read as UTF-8, as KServe sends them': {
    sent: 'zoë €😀',
    auto: 'zoë €😀',
    strict: 'zoë €😀',
    raw: 'zoë €😀'
  },
  'percent-encoded UTF-8 is decoded unless raw': {
    sent: 'Euro%20%E2%82%AC%20%F0%9F%98%80',
    auto: 'Euro € 😀',
    strict: 'Euro € 😀',
    raw: 'Euro%20%E2%82%AC%20%F0%9F%98%80'
  },
  'lower-case hex and needless encoding are taken': {
    sent: '%e2%82%ac%61',
    auto: '€a',
    strict: '€a',
    raw: '%e2%82%ac%61'
  },
  'only one round is decoded': { sent: '%2525', auto: '%25', strict: '%25', raw: '%2525' },
  'a plus sign is no space': { sent: 'a+b%2B', auto: 'a+b+', strict: 'a+b+', raw: 'a+b%2B' },
  'a percent sign that starts no escape': {
    sent: '100%',
    auto: ['100%', 'header_escape'],
    strict: refused,
    raw: '100%'
  },
  'one bad escape among good ones leaves all of them': {
    sent: '%41 and %4',
    auto: ['%41 and %4', 'header_escape'],
    strict: refused,
    raw: '%41 and %4'
  },
  'an overlong encoding (%C0%A0)': {
    sent: 'a%C0%A0b',
    auto: ['a%C0%A0b', 'header_escape'],
    strict: refused,
    raw: 'a%C0%A0b'
  },
  'a surrogate in percent-encoding': {
    sent: '%ED%A0%80',
    auto: ['%ED%A0%80', 'header_escape'],
    strict: refused,
    raw: '%ED%A0%80'
  },
  'a percent-encoded NUL': { sent: 'a%00b', auto: ['a%00b', 'header_escape'], strict: refused, raw: 'a%00b' },
  'any other control character is decoded, kept and counted': {
    sent: 'a%0Ab',
    auto: ['a\nb', 'attribute_value'],
    strict: ['a\nb', 'attribute_value'],
    raw: 'a%0Ab'
  },
  'a whole-value quoted string loses its quotes': { sent: '"a b"', auto: 'a b', strict: 'a b', raw: '"a b"' },
  'backslashes in a quoted string escape one character': {
    sent: String.raw`"a\"b\\c\d"`,
    auto: String.raw`a"b\cd`,
    strict: String.raw`a"b\cd`,
    raw: String.raw`"a\"b\\c\d"`
  },
  'a quoted string is unquoted first and percent-decoded then': {
    sent: '"Euro %E2%82%AC"',
    auto: 'Euro €',
    strict: 'Euro €',
    raw: '"Euro %E2%82%AC"'
  },
  'an escape in a quoted string that does not decode keeps the quotes too': {
    sent: '"100%"',
    auto: ['"100%"', 'header_escape'],
    strict: refused,
    raw: '"100%"'
  },
  'two quoted strings are not one': { sent: '"a", "b"', auto: '"a", "b"', strict: '"a", "b"', raw: '"a", "b"' },
  'a quote that is never closed stays': { sent: '"a', auto: '"a', strict: '"a', raw: '"a' },
  'an escaped quote at the end closes nothing': {
    sent: String.raw`"a\"`,
    auto: String.raw`"a\"`,
    strict: String.raw`"a\"`,
    raw: String.raw`"a\"`
  },
  'a lone quote is a quote': { sent: '"', auto: '"', strict: '"', raw: '"' },
  'quotes inside JSON stay': {
    sent: '{"X-User":["zoë"]}',
    auto: '{"X-User":["zoë"]}',
    strict: '{"X-User":["zoë"]}',
    raw: '{"X-User":["zoë"]}'
  },
  'a bare percent sign in KServe’s raw JSON': {
    sent: '{"X":["100%"]}',
    auto: ['{"X":["100%"]}', 'header_escape'],
    strict: refused,
    raw: '{"X":["100%"]}'
  },
  'escapes beside text that an encoder would have encoded, a quote, are somebody else’s': {
    sent: '{"Referer":["/?q=%22a%22"]}',
    auto: ['{"Referer":["/?q=%22a%22"]}', 'header_escape'],
    strict: '{"Referer":["/?q="a""]}',
    raw: '{"Referer":["/?q=%22a%22"]}'
  },
  'and likewise beside text above ASCII': {
    sent: 'zoë%20',
    auto: ['zoë%20', 'header_escape'],
    strict: 'zoë ',
    raw: 'zoë%20'
  }
}

describe('decoding the value of a ce- header', () => {
  for (const [name, { sent, ...expected }] of Object.entries(cases)) {
    for (const decoding of ['auto', 'strict', 'raw'] as const) {
      test(`${name} (${decoding})`, () => assert.deepEqual(decode(onTheWire(sent), decoding), expected[decoding]))
    }
  }

  test('bytes that are no UTF-8 are kept as latin1 and counted, and refused where decoding is strict', () => {
    assert.deepEqual(decode('caf\xe9', 'auto'), ['café', 'header_bytes'])
    assert.deepEqual(decode('caf\xe9', 'raw'), ['café', 'header_bytes'])
    assert.equal(decode('caf\xe9', 'strict'), refused)
  })

  test('a refusal names the header and the way out, and does not repeat the value', () => {
    assert.throws(
      () => decodeHeaderValue('subject', 'secret%', 'strict', () => {}),
      ({ message }: Error) =>
        message.includes('ce-subject') && message.includes('HEADER_DECODING=auto') && !message.includes('secret')
    )
  })

  test('a quoted string of 60 kB is unquoted', () => {
    const text = 'a\\\\'.repeat(20_000)
    assert.equal(decode(`"${text}"`, 'auto'), 'a\\'.repeat(20_000))
  })
})
