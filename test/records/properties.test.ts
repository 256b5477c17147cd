import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { parseBinary } from '../../sidecar/cloudevents/binary.ts'
import { isJson } from '../../sidecar/cloudevents/content-type.ts'
import { InvalidEventError } from '../../sidecar/cloudevents/errors.ts'
import { attribute, type CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { parseStructured } from '../../sidecar/cloudevents/structured.ts'
import { createEnricher } from '../../sidecar/records/enrich.ts'
import { headerBytes, jsonValue } from '../cloudevents/arbitraries.ts'
import { required, requiredMembers } from '../cloudevents/reading.ts'
import { recordOf } from './events.ts'

const ignore = (): void => {}
const enrich = createEnricher({
  podName: 'p',
  podNamespace: 'n',
  nodeName: '',
  inferenceServiceName: 'i',
  component: 'c',
  revision: ''
})

const token = fc.stringMatching(/^Ce-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
const headerName = fc.oneof(
  token,
  fc.constantFrom('Ce-Time', 'Ce-Data', 'Ce-Data_base64', 'Ce-Datacontenttype', 'Ce-Partitionkey')
)
const contentType = fc.constantFrom(
  'application/json',
  'APPLICATION/X+JSON; a=b',
  'text/plain',
  'application/octet-stream',
  'application/xml',
  '',
  'json;;'
)
const body = fc.oneof(
  jsonValue.map(text => Buffer.from(` ${text}\n`)),
  fc.string({ unit: 'grapheme' }).map(text => Buffer.from(text)),
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
  jsonValue.map(text => gzipSync(text)),
  fc.uint8Array({ minLength: 20 }).map(bytes => Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), bytes]))
)

/** Events as the receiver makes them, of both content modes; what it refuses is left out. */
const received: fc.Arbitrary<CloudEvent> = fc
  .oneof(
    fc
      .tuple(
        fc.constantFrom('1.0', '0.3', '0.2'),
        fc.array(fc.tuple(headerName, headerBytes), { maxLength: 6 }),
        fc.option(contentType, { nil: undefined }),
        body
      )
      .map(([version, more, type, data]) => {
        const headers = [...Object.entries({ ...required, 'Ce-Specversion': version }), ...more].flat()
        if (type !== undefined) headers.push('Content-Type', type)
        return () => parseBinary(headers, data, 'auto', ignore)
      }),
    fc
      .tuple(
        fc.dictionary(
          fc.string({ unit: 'grapheme' }),
          fc.oneof(fc.string({ unit: 'grapheme' }), fc.boolean(), fc.integer())
        ),
        fc.constantFrom('1.0', '0.3', '0.2'),
        fc.option(contentType, { nil: null }),
        fc.jsonValue()
      )
      .map(([more, specversion, datacontenttype, data]) => () => {
        const event = { ...more, ...requiredMembers, specversion, datacontenttype, data }
        return parseStructured(Buffer.from(JSON.stringify(event)), ignore)
      })
  )
  .map(read => {
    try {
      const event = read()
      enrich(event, 0)
      return event
    } catch (error) {
      assert.ok(error instanceof InvalidEventError)
      return undefined
    }
  })
  .filter(event => event !== undefined)

describe('the record of any event', () => {
  for (const format of ['cloudevent', 'structured', 'envelope'] as const) {
    test(`is one that node-rdkafka hands on whole (${format})`, () => {
      fc.assert(
        fc.property(received, fc.constantFrom('id', 'partitionkey', 'inferenceservicename', 'none'), (event, key) => {
          const record = recordOf(event, format, key)
          assert.ok(Buffer.isBuffer(record.value))
          assert.ok(record.value.buffer.byteLength > 0, 'a value without memory becomes a tombstone')
          assert.ok(record.key === null || (Buffer.isBuffer(record.key) && record.key.length > 0))
          const names = record.headers.map(header => {
            const entries = Object.entries(header)
            assert.equal(entries.length, 1)
            const [[name, text]] = entries as [[string, string]]
            assert.ok(typeof text === 'string' && text.isWellFormed())
            assert.ok(!name.includes('\0') && !text.includes('\0'))
            return name
          })
          assert.equal(new Set(names).size, names.length, 'no header twice')
          for (const name of ['ce_id', 'ce_source', 'ce_specversion', 'ce_type']) assert.ok(names.includes(name))
        }),
        { numRuns: 1500 }
      )
    })
  }
})

test('a structured record of any event is JSON that is read as the same event', () => {
  fc.assert(
    fc.property(received, event => {
      const { value } = recordOf(event, 'structured')
      const members = JSON.parse(value.toString('utf8')) as Record<string, unknown>
      const read = parseStructured(value, ignore)

      const version03 = attribute(event, 'specversion') === '0.3'
      const expected = event.attributes
        .filter(
          ({ name }) => name !== 'data' && name !== 'data_base64' && !(version03 && name === 'datacontentencoding')
        )
        .map(({ name, value }) => [name, value] as const)
      const got = read.attributes
        .filter(({ name }) => !(version03 && name === 'datacontentencoding'))
        .map(({ name, value }) => [name, value] as const)
      const hasType = attribute(event, 'datacontenttype') !== undefined
      // Nothing said of the type means JSON in this format, and that is said where it is left.
      if (!hasType && event.data.length > 0) expected.push(['datacontenttype', 'application/json'])
      assert.deepEqual(new Map(got), new Map(expected))

      const type = attribute(event, 'datacontenttype')
      const asJson = 'data' in members && !version03 && isJson(type === undefined ? undefined : String(type))
      // Space around a JSON text is not part of a member’s value.
      if (asJson) assert.equal(read.data.toString(), event.data.toString().replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''))
      else if (!version03) assert.deepEqual(read.data, event.data)
      else assert.equal(read.data.toString('latin1').trim(), event.data.toString('latin1').trim())
    }),
    { numRuns: 3000 }
  )
})

test('an envelope of any event is JSON with the four fields of the original, or with the encoding of the fourth', () => {
  fc.assert(
    fc.property(received, event => {
      const { value } = recordOf(event, 'envelope')
      const envelope = JSON.parse(value.toString('utf8')) as Record<string, unknown>
      const fields = ['type', 'id', 'time', 'payload']
      const inBase64 = 'payload_encoding' in envelope
      assert.deepEqual(Object.keys(envelope), inBase64 ? [...fields, 'payload_encoding'] : fields)
      assert.equal(envelope['id'], String(attribute(event, 'id')))
      assert.ok(Number.isInteger(envelope['time']))
      if (!inBase64) return
      assert.equal(envelope['payload_encoding'], 'base64')
      const payload = Buffer.from(String(envelope['payload']), 'base64')
      assert.equal(payload.toString('base64'), envelope['payload'])
      if (attribute(event, 'contentencoding') === undefined) assert.deepEqual(payload, event.data)
    }),
    { numRuns: 2000 }
  )
})

test('a record is the same however often it is built: nothing of an event is used up, and nothing is random', () => {
  fc.assert(
    fc.property(received, fc.constantFrom('cloudevent', 'structured', 'envelope'), (event, format) => {
      assert.deepEqual(recordOf(event, format), recordOf(event, format))
    })
  )
})
