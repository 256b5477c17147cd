import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CloudEvent, HTTP } from 'cloudevents'
import fc from 'fast-check'
import { extensionName, headerText, time } from './arbitraries.ts'
import { readBinary, readStructured, type Reading } from './reading.ts'
import {
  sdkDoesNotEncodeHeaders,
  sdkFailsForTheName,
  sdkSendsJsonScalarsRaw,
  sdkWritesEmptyBytesAsObject
} from './sdk-bugs.ts'

type Value = string | number | boolean

interface Context {
  id: string
  source: string
  type: string
  time?: string
  subject?: string
  dataschema?: string
  [extension: string]: unknown
}

const nonEmpty = headerText.filter(text => text !== '')
const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const extensionNameOfTheSdk = extensionName.filter(name => !sdkFailsForTheName(name))
const extensions = fc.dictionary(extensionNameOfTheSdk, fc.oneof(headerText, integer, fc.boolean()), { maxKeys: 5 })
/** URI references, which the SDK validates. */
const uri = fc.stringMatching(/^\/[a-z0-9]{1,8}(\/[a-z0-9.~-]{1,8}){0,3}(\?[a-z]{1,3}=[0-9]{1,3})?$/)

const context: fc.Arbitrary<Context> = fc
  .tuple(
    extensions,
    fc.record(
      {
        id: nonEmpty,
        source: uri,
        type: nonEmpty,
        time,
        subject: nonEmpty,
        dataschema: uri.map(path => `https://x${path}`)
      },
      { requiredKeys: ['id', 'source', 'type'] }
    )
  )
  .map(([more, core]) => ({ ...more, ...core }))

/** An event of the SDK, and its attributes with the type that they have in JSON. */
function sdkEvent(
  attributes: Context,
  data: { datacontenttype?: string; data?: unknown }
): [CloudEvent<unknown>, Record<string, Value>] {
  const event = new CloudEvent<unknown>({ ...attributes, ...data })
  const own = Object.entries({ ...attributes, specversion: '1.0', time: new Date(event.time ?? NaN).toISOString() })
  return [event, Object.fromEntries(own.filter(([, value]) => value !== undefined))]
}

function readFromHeaders(event: CloudEvent<unknown>, decoding: 'auto' | 'raw'): Reading {
  const { headers, body } = HTTP.binary(event)
  const pairs = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string])
  return readBinary(pairs, body as string | Buffer | undefined, decoding)
}

const asText = (attributes: Record<string, Value>): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]))

/** Data with the content type that is sent with it, and its bytes. */
const binaryModeData = fc.oneof(
  fc
    .jsonValue()
    .filter(data => !sdkSendsJsonScalarsRaw(data))
    .map(data => ({ datacontenttype: 'application/json', data, bytes: Buffer.from(JSON.stringify(data)) })),
  fc.string({ unit: 'grapheme' }).map(data => ({ datacontenttype: 'text/plain', data, bytes: Buffer.from(data) })),
  fc
    .uint8Array()
    .map(data => ({ datacontenttype: 'application/octet-stream', data: Buffer.from(data), bytes: Buffer.from(data) }))
)

describe('an event that the SDK sends in binary mode is read as it was made', () => {
  for (const decoding of ['raw', 'auto'] as const) {
    test(`with ${decoding} header values`, () => {
      fc.assert(
        fc.property(context, binaryModeData, (attributes, { bytes, ...data }) => {
          const [event, expected] = sdkEvent(attributes, data)
          fc.pre(decoding === 'raw' || !Object.values(expected).some(value => sdkDoesNotEncodeHeaders(String(value))))
          const read = readFromHeaders(event, decoding)
          assert.deepEqual(read.attributes, { ...asText(expected), datacontenttype: data.datacontenttype })
          assert.deepEqual(read.event.data, bytes)
          assert.deepEqual(read.irregular, [])
        }),
        { numRuns: 1500 }
      )
    })
  }

  test('without data: the content type that the SDK then invents is all there is', () => {
    fc.assert(
      fc.property(context, attributes => {
        const [event, expected] = sdkEvent(attributes, {})
        const read = readFromHeaders(event, 'raw')
        assert.deepEqual(read.attributes, { ...asText(expected), datacontenttype: 'application/json; charset=utf-8' })
        assert.equal(read.event.data.length, 0)
      })
    )
  })
})

describe('an event that the SDK sends in structured mode is read as it was made', () => {
  test('with any JSON data, 0, false, "" and null included', () => {
    fc.assert(
      fc.property(
        context,
        fc.jsonValue(),
        fc.constantFrom('application/json', 'application/x+json', undefined),
        (attributes, data, type) => {
          const [event, expected] = sdkEvent(attributes, {
            data,
            ...(type === undefined ? {} : { datacontenttype: type })
          })
          const { body } = HTTP.structured(event)
          const read = readStructured(String(body))
          assert.deepEqual(read.attributes, { ...expected, datacontenttype: type ?? 'application/json' })
          assert.equal(read.data, JSON.stringify(data))
          assert.deepEqual(read.irregular, [])
        }
      ),
      { numRuns: 1500 }
    )
  })

  test('with text', () => {
    fc.assert(
      fc.property(context, fc.string({ unit: 'grapheme' }), (attributes, data) => {
        const [event, expected] = sdkEvent(attributes, { data, datacontenttype: 'text/plain' })
        const read = readStructured(String(HTTP.structured(event).body))
        assert.deepEqual(read.attributes, { ...expected, datacontenttype: 'text/plain' })
        assert.equal(read.data, data)
      }),
      { numRuns: 500 }
    )
  })

  test('with bytes', () => {
    fc.assert(
      fc.property(context, fc.uint8Array(), (attributes, data) => {
        fc.pre(!sdkWritesEmptyBytesAsObject(data))
        const [event, expected] = sdkEvent(attributes, { data, datacontenttype: 'application/octet-stream' })
        const read = readStructured(String(HTTP.structured(event).body))
        assert.deepEqual(read.attributes, { ...expected, datacontenttype: 'application/octet-stream' })
        assert.deepEqual(read.event.data, Buffer.from(data))
      }),
      { numRuns: 500 }
    )
  })

  test('without data', () => {
    fc.assert(
      fc.property(context, attributes => {
        const [event, expected] = sdkEvent(attributes, {})
        const read = readStructured(String(HTTP.structured(event).body))
        assert.deepEqual(read.attributes, expected)
        assert.equal(read.event.data.length, 0)
      })
    )
  })
})
