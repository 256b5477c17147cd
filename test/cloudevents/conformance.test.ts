import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Kafka } from 'cloudevents'
import type { CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { KafkaRecord, RecordFormat } from '../../sidecar/records/record.ts'
import { httpRequest, startReceiver } from '../golden/receiver.ts'
import { sdkMessageOf } from '../records/sdk-message.ts'
import { without } from './reading.ts'

/** The event of the examples in the CloudEvents project's conformance suite. */
const context = {
  id: '1234-1234-1234',
  type: 'com.example.someevent',
  source: '/mycontext/subcontext',
  specversion: '1.0',
  time: '2018-04-05T03:56:24Z'
}
const data = { message: 'Hello World!' }

function assertIsTheExample(event: CloudEvent, datacontenttype: string): void {
  const attributes = Object.fromEntries(event.attributes.map(({ name, value }) => [name, value]))
  // `receivedtime` is the receiver's own.
  assert.deepEqual(without(attributes, 'receivedtime'), { ...context, datacontenttype })
  assert.deepEqual(JSON.parse(event.data.toString()), data)
}

describe('CloudEvents conformance, HTTP protocol binding', () => {
  for (const contentType of ['application/json', 'application/json; charset=utf-8']) {
    test(`binary content mode, ${contentType}`, async t => {
      const send = await startReceiver(t)
      const headers: Record<string, string> = { 'content-type': contentType }
      for (const [name, value] of Object.entries(context)) headers[`ce-${name}`] = value
      const request = httpRequest(headers, JSON.stringify(data))
      const { status, stored } = await send(request)
      assert.equal(status, 200)
      assert.equal(stored.length, 1)
      assertIsTheExample((stored[0] ?? assert.fail()).event, contentType)
    })
  }

  for (const contentType of ['application/cloudevents+json', 'application/cloudevents+json; charset=utf-8']) {
    test(`structured content mode, ${contentType}`, async t => {
      const send = await startReceiver(t)
      const body = JSON.stringify({ ...context, datacontenttype: 'application/json', data })
      const { status, stored } = await send(httpRequest({ 'content-type': contentType }, body))
      assert.equal(status, 200)
      assert.equal(stored.length, 1)
      assertIsTheExample((stored[0] ?? assert.fail()).event, 'application/json')
    })
  }
})

describe('CloudEvents conformance, Kafka protocol binding, which is written here', () => {
  const event: CloudEvent = {
    attributes: [...Object.entries(context), ['datacontenttype', 'application/json'] as const].map(([name, value]) => ({
      name,
      value
    })),
    data: Buffer.from(JSON.stringify(data))
  }
  const recordIn = (format: RecordFormat): KafkaRecord =>
    buildRecord({ event, topic: 't' }, { format, key: 'id', maxEventBytes: 1000 })

  function assertTheSdkReadsTheExample(record: KafkaRecord): void {
    const read = Kafka.toEvent(sdkMessageOf(record))
    assert.ok(!Array.isArray(read))
    const { id, type, source, specversion, time, datacontenttype } = read
    assert.deepEqual(
      { id, type, source, specversion, datacontenttype, time },
      // The SDK writes every time anew.
      { ...context, datacontenttype: 'application/json', time: '2018-04-05T03:56:24.000Z' }
    )
    assert.deepEqual(read.data, data)
  }

  test('binary content mode', () => {
    const record = recordIn('cloudevent')
    assert.deepEqual(record.headers, [
      { ce_id: '1234-1234-1234' },
      { ce_type: 'com.example.someevent' },
      { ce_source: '/mycontext/subcontext' },
      { ce_specversion: '1.0' },
      { ce_time: '2018-04-05T03:56:24Z' },
      { 'content-type': 'application/json' }
    ])
    assert.equal(record.value.toString(), '{"message":"Hello World!"}')
    assertTheSdkReadsTheExample(record)
  })

  for (const contentType of ['application/cloudevents+json', 'application/cloudevents+json; charset=utf-8']) {
    test(`structured content mode, read as ${contentType}`, () => {
      const record = recordIn('structured')
      assert.deepEqual(record.headers[0], { 'content-type': 'application/cloudevents+json; charset=UTF-8' })
      assert.deepEqual(JSON.parse(record.value.toString()), { ...context, datacontenttype: 'application/json', data })
      const message = { ...record, headers: [{ 'content-type': contentType }, ...record.headers.slice(1)] }
      assertTheSdkReadsTheExample(message)
    })
  }
})
