import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLine } from '../../cli/tail/json-line.ts'
import { Printer } from '../../cli/tail/printer.ts'
import { cut, visible, widthOf } from '../../cli/tail/visible.ts'
import { plain, recordWith } from './support.ts'

/** What a terminal obeys, or what changes the order in which text is read. Line feeds end the printer's own lines. */
// eslint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\x1b]0;title\x07',
    '\x1b[2J',
    '\x9b31m',
    '\r\nfake line',
    '\u202egnp.exe',
    '\u2028',
    '\x08\x08',
    '{"a":"\x9b2J"}',
    'data: \x1b[31m\n\n'
  )
)
const anyRecord = fc
  .record({
    id: nasty,
    type: fc.oneof(fc.constant('a.request'), nasty),
    service: nasty,
    component: nasty,
    time: nasty,
    contentType: nasty,
    topic: nasty,
    key: nasty,
    value: fc.oneof(
      nasty.map(text => Buffer.from(text)),
      fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))
    )
  })
  .map(({ id, type, service, component, time, contentType, topic, key, value }) =>
    recordWith(
      {
        ce_id: id,
        ce_type: type,
        ce_inferenceservicename: service,
        ce_component: component,
        ce_time: time,
        'content-type': contentType
      },
      value,
      { topic, key: Buffer.from(key) }
    )
  )

test('no event can drive the terminal or add lines', () => {
  fc.assert(
    fc.property(anyRecord, record => {
      const text = new Printer(() => ({ ...plain, showPosition: true })).print(record)
      assert.doesNotMatch(text, OBEYED)
      const lines = text.split('\n')
      assert.equal(lines.pop(), '')
      assert.ok(lines.length <= 3, `${lines.length} lines`)
      assert.ok(widthOf(lines.at(-1) ?? '') <= plain.columns, `${widthOf(lines.at(-1) ?? '')} columns`)
    }),
    { numRuns: 500 }
  )
})

test('nor can it with --json, and a line is one JSON text', () => {
  fc.assert(
    fc.property(anyRecord, record => {
      const line = jsonLine(record)
      assert.doesNotMatch(line, OBEYED)
      assert.doesNotMatch(line, /\n/)
      const parsed = JSON.parse(line) as { attributes: Record<string, string>; key: string }
      assert.equal(parsed.key, record.key?.toString())
      assert.equal(parsed.attributes['id'], record.headers.find(([name]) => name === 'ce_id')?.[1])
    }),
    { numRuns: 500 }
  )
})

test('what is shown in place of a control character', () => {
  assert.equal(visible('a\x1b[31m\x07\x9b\x7f\n\r\t\0é漢🎉'), 'a\\x1b[31m\\x07\\x9b\\x7f\\n\\r\\t\\x00é漢🎉')
  assert.equal(visible('\u202e\u2028\ufeff\u{e0041}'), '\\u{202e}\\u{2028}\\u{feff}\\u{e0041}')
  assert.equal(visible('👩\u200d🔬'), '👩\u200d🔬')
})

test('text is cut to columns, not to characters', () => {
  assert.equal(cut('abcdef', 6), 'abcdef')
  assert.equal(cut('abcdefg', 6), 'abcde…')
  assert.equal(cut('漢字漢字', 8), '漢字漢字')
  assert.equal(cut('漢字漢字', 7), '漢字漢…')
  assert.equal(cut('🎉🎉🎉', 4), '🎉…')
  assert.equal(cut('e\u0301e\u0301e\u0301', 2), 'e\u0301…')
  assert.equal(cut('anything', Infinity), 'anything')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, columns) => {
      assert.ok(widthOf(cut(text, columns)) <= columns)
      if (widthOf(text) <= columns) assert.equal(cut(text, columns), text)
    })
  )
})
