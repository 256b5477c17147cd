import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CloudEvent, HTTP, Kafka, type CloudEventV1, type KafkaMessage } from 'cloudevents'
import * as bugs from './sdk-bugs.ts'
import { requiredMembers } from './reading.ts'

const required = { id: '1', source: '/s', type: 't' }
const structured = { 'content-type': 'application/cloudevents+json' }

function fromHttp(headers: Record<string, string>, body: unknown): CloudEventV1<unknown> {
  const event = HTTP.toEvent({ headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
  assert.ok(!Array.isArray(event))
  return event
}

function fromKafka(headers: Record<string, string>, value: string, key?: string): CloudEventV1<unknown> {
  const event = Kafka.toEvent({ headers, value, ...(key === undefined ? {} : { key }) } as KafkaMessage<string>)
  assert.ok(!Array.isArray(event))
  return event
}

const kafkaHeaders = { ce_id: '1', ce_source: '/s', ce_type: 't', ce_specversion: '1.0' }

/** When one of these fails, the SDK was fixed: take its exclusion out of the cross-checks. */
describe('the CloudEvents SDK still', () => {
  test('sdkRewritesTime: truncates nanoseconds and moves to UTC', () => {
    const time = '2018-04-05T03:56:24.123456789+01:00'
    assert.ok(bugs.sdkRewritesTime(time))
    assert.equal(fromKafka({ ...kafkaHeaders, ce_time: time }, 'x').time, '2018-04-05T02:56:24.123Z')
    assert.equal(fromHttp(structured, { ...requiredMembers, time }).time, '2018-04-05T02:56:24.123Z')
  })

  test('sdkInventsTime: gives an event without time the current one, or fails', () => {
    assert.ok(bugs.sdkInventsTime(undefined))
    assert.ok(Math.abs(Date.parse(String(fromKafka(kafkaHeaders, 'x').time)) - Date.now()) < 60_000)
    assert.throws(() => fromKafka(structured, JSON.stringify(requiredMembers)), /Invalid time value/)
  })

  test('sdkDropsFalsyData: loses 0, false, "" and null from structured data', () => {
    for (const data of [0, false, '', null]) {
      assert.ok(bugs.sdkDropsFalsyData(data))
      assert.equal(fromHttp(structured, { ...requiredMembers, data }).data, undefined)
    }
  })

  test('sdkSendsJsonScalarsRaw: sends JSON strings without quotes in binary mode', () => {
    assert.ok(bugs.sdkSendsJsonScalarsRaw('text'))
    const { body } = HTTP.binary(new CloudEvent({ ...required, datacontenttype: 'application/json', data: 'text' }))
    assert.equal(body, 'text')
  })

  test('sdkWritesEmptyBytesAsObject: writes empty bytes as an object', () => {
    const data = Buffer.alloc(0)
    assert.ok(bugs.sdkWritesEmptyBytesAsObject(data))
    const { body } = HTTP.structured(new CloudEvent({ ...required, data }))
    assert.deepEqual((JSON.parse(String(body)) as { data: unknown }).data, { type: 'Buffer', data: [] })
  })

  test('sdkDoesNotEncodeHeaders: leaves percent signs and text above ASCII as they are, both ways', () => {
    assert.ok(bugs.sdkDoesNotEncodeHeaders('100%'))
    const { headers } = HTTP.binary(new CloudEvent({ ...required, subject: '100% €' }))
    assert.equal(headers['ce-subject'], '100% €')
    const sent = { 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't', 'ce-specversion': '1.0', 'ce-subject': '%E2%82%AC' }
    assert.equal(fromHttp(sent, '').subject, '%E2%82%AC')
  })

  test('sdkFailsForTheName: cannot send an extension called constructor in binary mode', () => {
    assert.ok(bugs.sdkFailsForTheName('constructor'))
    assert.throws(() => HTTP.binary(new CloudEvent({ ...required, constructor: 'x' })), TypeError)
  })

  test('sdkRefusesWhatIsNotJson: fails for a body that only claims to be JSON', () => {
    assert.ok(bugs.sdkRefusesWhatIsNotJson('application/json', 'data: {}'))
    assert.throws(() => fromKafka({ ...kafkaHeaders, 'content-type': 'application/json' }, 'data: {}'), SyntaxError)
  })

  test('sdkDoesNotSeeJson: does not know JSON by its suffix, nor in upper case', () => {
    for (const type of ['application/ld+json', 'Application/JSON']) {
      assert.ok(bugs.sdkDoesNotSeeJson(type))
      assert.equal(fromKafka({ ...kafkaHeaders, 'content-type': type }, '{}').data, '{}')
    }
  })

  // What follows needs no exclusion: it is why the SDK is not what reads and writes events here.
  test('inflates data_base64 read over HTTP to four bytes a byte', () => {
    const { data } = fromHttp(structured, { ...requiredMembers, data_base64: 'AQID' })
    assert.equal((data as ArrayBufferView).byteLength, 12)
  })

  test('refuses structured content types that are spelt in another way', () => {
    for (const type of ['application/cloudevents+json; charset=UTF-8', 'application/cloudevents+json;charset=utf-8']) {
      assert.throws(() => fromHttp({ 'content-type': type }, requiredMembers), /invalid content type/)
    }
    assert.throws(() => fromHttp({ 'content-type': 'Application/CloudEvents+JSON' }, requiredMembers), /no cloud event/)
  })

  test('rounds numbers in structured data', () => {
    const { data } = fromHttp(
      structured,
      `{"data":[12345678901234567890,1.0],${JSON.stringify(requiredMembers).slice(1)}`
    )
    assert.equal(JSON.stringify(data), '[12345678901234567000,1]')
  })

  test('takes events without a source, and of any version', () => {
    assert.equal(fromHttp({ 'ce-id': '1', 'ce-specversion': '9' }, '').specversion, '9')
  })

  test('writes headers of Kafka records that are undefined', () => {
    const { headers } = Kafka.binary(new CloudEvent(required))
    assert.ok('ce_subject' in headers && headers['ce_subject'] === undefined)
  })

  test('makes the key of a Kafka record its partitionkey, whatever the event says', () => {
    const { partitionkey } = fromKafka({ ...kafkaHeaders, ce_partitionkey: 'of-the-event' }, 'x', 'a-key')
    assert.equal(partitionkey, 'a-key')
  })
})
