import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { StoredEvent } from '../../sidecar/store/store.ts'
import { httpRequest, startReceiver, type Received } from '../golden/receiver.ts'
import { required, requiredMembers } from './reading.ts'

const structured = 'application/cloudevents+json'
const batch = 'application/cloudevents-batch+json'
const json = (value: unknown): string => JSON.stringify(value)

async function post(t: TestContext, headers: Record<string, string>, body: string | Buffer = ''): Promise<Received> {
  const send = await startReceiver(t)
  return await send(httpRequest(headers, body))
}

function attributesOf(stored: StoredEvent | undefined): Record<string, unknown> {
  return Object.fromEntries(stored?.event.attributes.map(({ name, value }) => [name, value]) ?? [])
}

describe('an event sent over HTTP is taken', () => {
  test('in binary mode with a metadata header of 17 kB, as KServe sends where a client has large headers', async t => {
    const metadata = json({ 'X-User': [`zoë${'u'.repeat(17_000)}`] })
    const { status, stored } = await post(t, { ...required, 'Ce-Metadata': metadata }, '{}')
    assert.equal(status, 200)
    assert.equal(attributesOf(stored[0])['metadata'], metadata)
  })

  test('in binary mode without a body, an empty header kept', async t => {
    const { status, stored } = await post(t, { ...required, 'Ce-Endpoint': '' })
    assert.equal(status, 200)
    assert.equal(attributesOf(stored[0])['endpoint'], '')
    assert.equal(stored[0]?.event.data.length, 0)
  })

  test('in structured mode, which goes before the ce- headers beside it', async t => {
    const { status, stored } = await post(
      t,
      { ...required, 'Ce-Id': 'header', 'Content-Type': structured },
      json(requiredMembers)
    )
    assert.equal(status, 200)
    assert.equal(attributesOf(stored[0])['id'], 'an-id')
  })

  test('in a batch, every event of it', async t => {
    const events = ['a', 'b', 'c'].map(id => ({ ...requiredMembers, id }))
    const { status, stored } = await post(t, { 'Content-Type': `${batch}; charset=UTF-8` }, json(events))
    assert.equal(status, 200)
    assert.deepEqual(
      stored.map(one => attributesOf(one)['id']),
      ['a', 'b', 'c']
    )
  })

  test('in an empty batch: none, and 200', async t => {
    const { status, stored } = await post(t, { 'Content-Type': batch }, '[]')
    assert.deepEqual({ status, stored }, { status: 200, stored: [] })
  })

  test('in a format that is unknown here with its attributes in headers: as data', async t => {
    const { status, stored } = await post(t, { ...required, 'Content-Type': 'application/cloudevents+avro' }, 'avro')
    assert.equal(status, 200)
    assert.equal(attributesOf(stored[0])['datacontenttype'], 'application/cloudevents+avro')
    assert.equal(stored[0]?.event.data.toString(), 'avro')
  })

  test('with an irregularity counted', async t => {
    const { status, irregular } = await post(t, { ...required, 'Ce-My_ext': '100%' })
    assert.equal(status, 200)
    assert.deepEqual(irregular.sort(), ['attribute_name', 'header_escape'])
  })
})

describe('a request over HTTP is refused, and nothing of it is stored,', () => {
  const cases: readonly [string, number, string, Record<string, string>, (string | Buffer)?][] = [
    ['without anything of a CloudEvent', 400, 'not_a_cloudevent', { 'Content-Type': 'application/json' }, '{}'],
    ['with half of the attributes', 400, 'missing_attribute', { 'Ce-Id': '1', 'Ce-Specversion': '1.0' }],
    ['of an unknown version', 400, 'unsupported_specversion', { ...required, 'Ce-Specversion': '1.1' }],
    ['structured without JSON', 400, 'invalid_json', { 'Content-Type': structured }, '{'],
    ['structured without a body', 400, 'invalid_json', { 'Content-Type': structured }],
    [
      'structured in a format that is unknown here',
      415,
      'unsupported_format',
      { 'Content-Type': 'application/cloudevents+avro' }
    ],
    ['structured in UTF-16', 415, 'unsupported_format', { 'Content-Type': `${structured}; charset=utf-16` }],
    [
      'batched in a format that is unknown here',
      415,
      'unsupported_format',
      { ...required, 'Content-Type': 'application/cloudevents-batch+avro' }
    ],
    [
      'structured and compressed',
      415,
      'unsupported_content_encoding',
      { 'Content-Type': structured, 'Content-Encoding': 'gzip' }
    ],
    ['batched with one bad event', 400, 'missing_attribute', { 'Content-Type': batch }, json([requiredMembers, {}])],
    ['batched and no array', 400, 'invalid_batch', { 'Content-Type': batch }, json(requiredMembers)]
  ]
  for (const [what, status, reason, headers, body] of cases) {
    test(`${what}: ${status} ${reason}`, async t => {
      const received = await post(t, headers, body)
      assert.equal(received.status, status)
      assert.equal((JSON.parse(received.body) as { reason: string }).reason, reason)
      assert.deepEqual(received.stored, [])
    })
  }

  test('but for a Content-Encoding that says nothing', async t => {
    const headers = { 'Content-Type': structured, 'Content-Encoding': 'Identity' }
    assert.equal((await post(t, headers, json(requiredMembers))).status, 200)
  })
})
