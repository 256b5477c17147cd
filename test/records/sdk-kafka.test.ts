import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Kafka, type CloudEventV1 } from 'cloudevents'
import fc from 'fast-check'
import { isJson } from '../../sidecar/cloudevents/content-type.ts'
import type { AttributeValue, CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { extensionName, headerText, jsonValue, time } from '../cloudevents/arbitraries.ts'
import { sdkDoesNotSeeJson, sdkInventsTime, sdkRefusesWhatIsNotJson, sdkRewritesTime } from '../cloudevents/sdk-bugs.ts'
import { without } from '../cloudevents/reading.ts'
import { eventWith, recordOf } from './events.ts'
import { sdkMessageOf } from './sdk-message.ts'

const nonEmpty = headerText.filter(text => text !== '')
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  headerText,
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.boolean()
)
const contentType = fc.constantFrom(
  'application/json',
  'application/json; charset=utf-8',
  'application/ld+json',
  'text/plain',
  'application/octet-stream'
)
const body = fc.oneof(jsonValue, fc.string({ unit: 'grapheme' }))

const anEvent: fc.Arbitrary<CloudEvent> = fc
  .tuple(
    fc.dictionary(extensionName, value, { maxKeys: 5 }),
    fc.record(
      { id: nonEmpty, source: nonEmpty, type: nonEmpty, time, subject: nonEmpty, datacontenttype: contentType },
      { requiredKeys: ['id', 'source', 'type'] }
    ),
    fc.oneof(
      body.map(text => Buffer.from(text)),
      fc.uint8Array().map(bytes => Buffer.from(bytes))
    )
  )
  .map(([extensions, core, data]) => eventWith({ ...extensions, ...core }, data))

const attributesOf = (event: CloudEvent): Record<string, AttributeValue> =>
  Object.fromEntries(event.attributes.map(({ name, value }) => [name, value]))

/** The SDK's event without its data and what is undefined; `time` as `expected` has it where the SDK cannot have it right. */
function contextOf(event: CloudEventV1<unknown>, expected: Record<string, AttributeValue>): Record<string, unknown> {
  const own = without({ ...event }, 'data', 'data_base64')
  const defined = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  if (sdkInventsTime(expected['time'])) delete defined['time']
  else if (sdkRewritesTime(expected['time'])) {
    assert.equal(Date.parse(String(defined['time'])), Date.parse(String(expected['time'])))
    defined['time'] = expected['time']
  }
  return defined
}

const asText = (attributes: Record<string, AttributeValue>): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]))

function read(event: CloudEvent, format: 'cloudevent' | 'structured'): CloudEventV1<unknown> {
  const result = Kafka.toEvent<unknown>(sdkMessageOf(recordOf(event, format)))
  assert.ok(!Array.isArray(result))
  return result
}

describe('the SDK reads an event from its Kafka record', () => {
  test('in format cloudevent', () => {
    fc.assert(
      fc.property(anEvent, event => {
        const expected = attributesOf(event)
        const type = expected['datacontenttype']
        fc.pre(!sdkRefusesWhatIsNotJson(type, event.data.toString()))
        const got = read(event, 'cloudevent')
        assert.deepEqual(contextOf(got, expected), asText(expected))
        if (typeof type === 'string' && isJson(type) && !sdkDoesNotSeeJson(type)) {
          assert.deepEqual(got.data, JSON.parse(event.data.toString()))
        } else {
          assert.deepEqual(got.data, event.data)
        }
      }),
      { numRuns: 2000 }
    )
  })

  test('in format structured, attributes with their types', () => {
    fc.assert(
      fc.property(anEvent, event => {
        const expected = attributesOf(event)
        fc.pre(!sdkInventsTime(expected['time']))
        const got = read(event, 'structured')
        assert.deepEqual(contextOf(got, expected), expected)
        const written = JSON.parse(recordOf(event, 'structured').value.toString()) as Record<string, unknown>
        if (event.data.length === 0) assert.equal(got.data, undefined)
        else if ('data_base64' in written) assert.deepEqual(Buffer.from(got.data as Uint8Array), event.data)
        else assert.deepEqual(got.data, written['data'])
      }),
      { numRuns: 2000 }
    )
  })
})
