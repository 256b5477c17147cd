import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { jsonLine } from '../../cli/tail/json-line.ts'
import { recognise, textOf } from '../../cli/tail/recognise.ts'
import type { Attribute } from '../../sidecar/cloudevents/event.ts'
import { eventOf, fixtures, formats, recordIn, recordWith } from './support.ts'

const withoutContentType = (attributes: readonly Attribute[]) =>
  Object.fromEntries(
    attributes.filter(({ name }) => name !== 'datacontenttype').map(({ name, value }) => [name, value])
  )

for (const format of formats) {
  test(`what was written in format ${format} is read back`, () => {
    for (const fixture of fixtures) {
      const event = eventOf(fixture)
      const read = recognise(recordIn(format, event))
      assert.equal(read.format, format, fixture.name)
      assert.equal(read.kind, fixture.name.split('__').at(-1), fixture.name)
      assert.deepEqual(withoutContentType(read.attributes), withoutContentType(event.attributes), fixture.name)
      // An envelope has its payload decompressed; everything else is what was sent.
      const gzipped = format === 'envelope' && fixture.name.includes('gzip') && read.kind === 'request'
      assert.deepEqual(read.data, gzipped ? gunzipSync(event.data) : event.data, fixture.name)
    }
  })
}

test('an envelope without headers, as the original could be read, still has its id, type and time', () => {
  const value = '{"type":"request","id":"7885ca5d","time":1795343759,"payload":{"n":1.00000000000000000001}}'
  const event = recognise(recordWith({}, value))
  assert.equal(event.format, 'envelope')
  assert.equal(event.kind, 'request')
  assert.equal(textOf(event, 'time'), '2026-11-22T10:35:59.000Z')
  assert.equal(event.data?.toString(), '{"n":1.00000000000000000001}')
})

test('a payload in the shape of an envelope stays a payload', () => {
  const headers = { ce_id: 'mine', ce_type: 'a.request' }
  for (const value of [
    '{"type":"request","id":"other","time":1,"payload":1}',
    '{"type":"request","id":"mine","time":1,"payload":1,"more":1}',
    '{"type":"request","id":"mine","time":1,"payload":1,"payload_encoding":"rot13"}',
    '{"type":"request","id":"mine","time":"1","payload":1}',
    '{"type":"request","id":"mine","time":1',
    '{"type":"request"'
  ]) {
    const event = recognise(recordWith(headers, value))
    assert.equal(event.format, 'cloudevent', value)
    assert.equal(event.data?.toString(), value)
  }
})

test('what calls itself structured and is not is shown as it is', () => {
  const record = recordWith({ 'content-type': 'application/cloudevents+json', ce_id: '1' }, 'not json')
  assert.deepEqual(recognise(record).data?.toString(), 'not json')
})

test('no record is too odd to be read', () => {
  const piece = fc.oneof(
    fc.constantFrom('{"type":"', 'request', '","id":"', '","time":', '1', ',"payload":', '}', '"'),
    fc.string()
  )
  fc.assert(
    fc.property(
      fc.array(piece).map(pieces => pieces.join('')),
      fc.dictionary(fc.string(), fc.string()),
      (value, headers) => {
        const { data } = recognise(recordWith(headers, value))
        assert.notEqual(data, null)
        JSON.parse(jsonLine(recordWith(headers, value)))
      }
    )
  )
})

const json = (headers: Record<string, string>, value: Buffer | string | null) =>
  JSON.parse(jsonLine(recordWith(headers, value))) as Record<string, unknown>

test('--json: the payload as JSON, text or base64', () => {
  assert.deepEqual(json({}, '{\n "a": "\u2028"\n}')['data'], { a: '\u2028' })
  assert.equal(
    jsonLine(recordWith({}, '{"n": 1.10,\r\n  "n": 12345678901234567890}')).includes(
      '{"n": 1.10,"n": 12345678901234567890}'
    ),
    true
  )
  assert.deepEqual(json({ 'content-type': 'application/x-www-form-urlencoded' }, '{"a":1}')['data'], { a: 1 })
  assert.equal(json({ 'content-type': 'text/plain' }, '12')['data'], '12')
  assert.equal(json({ 'content-type': 'application/json' }, '12')['data'], 12)
  assert.equal(json({ 'content-type': 'application/json' }, '{"broken')['data'], '{"broken')
  assert.equal(json({}, Buffer.from([0xff, 0]))['data_base64'], '/wA=')
  assert.deepEqual(
    Object.keys(json({}, '')).filter(name => /data|tombstone/.test(name)),
    []
  )
  assert.equal(json({}, null)['tombstone'], true)
})

test('--json: everything else', () => {
  assert.deepEqual(json({ ce_id: '1', ce_type: 'a.response', 'content-type': 'text/plain', other: 'x' }, 'hi'), {
    topic: 'models',
    partition: 0,
    offset: 0,
    timestamp: Date.UTC(2026, 10, 22, 12),
    key: null,
    format: 'cloudevent',
    kind: 'response',
    attributes: { id: '1', type: 'a.response' },
    contentType: 'text/plain',
    size: 2,
    data: 'hi'
  })
})
