import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTopicTemplate, topicOf } from '../../sidecar/records/topic.ts'
import { STATUS, type RejectReason } from '../../sidecar/receiver/replies.ts'
import { TestReceiver, type ReceiverOptions } from './harness.ts'
import { SlowStore } from './slow-store.ts'
import { chunked, EVENT_HEADERS, post, type RawResponse } from './raw-client.ts'

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const NO_EVENT = Object.fromEntries(Object.keys(EVENT_HEADERS).map(name => [name, undefined]))

/** A rejection is one line of JSON that says what is wrong and names the reason it is counted under. */
function assertRejected(response: RawResponse, reason: RejectReason): string {
  assert.equal(response.status, STATUS[reason], response.body)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.match(response.body, /^[^\n]+\n$/)
  const body = JSON.parse(response.body) as { error: string; reason: string }
  assert.deepEqual(Object.keys(body), ['error', 'reason'])
  assert.equal(body.reason, reason)
  assert.ok(body.error.length > 10, body.error)
  return body.error
}

test('an event is answered 200 with Content-Length: 0, nothing else, and the connection is kept', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  client.write(post('{"instances":[1]}'))
  const { status, headers, body } = await client.next()
  assert.equal(status, 200)
  assert.equal(headers.get('content-length'), '0')
  assert.equal(body, '')
  assert.deepEqual([...headers.keys()].sort(), ['connection', 'content-length', 'date', 'keep-alive'])
  assert.equal(headers.get('connection'), 'keep-alive')
  // Longer than the 90 s for which Go keeps an idle connection.
  assert.equal(headers.get('keep-alive'), 'timeout=120')
  assert.deepEqual(receiver.payloads(), ['{"instances":[1]}'])
  assert.equal(client.leftOver, '')
})

test('any path is taken', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  for (const path of ['/', '/a/b', '/?x=1', '*', 'http://localhost/absolute']) {
    client.write(post(path, {}, { path }))
    assert.equal((await client.next()).status, 200, path)
  }
  assert.equal(receiver.received, 5)
})

test('one connection serves many requests, one after another', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  for (let i = 0; i < 300; i++) {
    client.write(post(String(i)))
    assert.equal((await client.next()).status, 200)
  }
  assert.deepEqual(
    receiver.payloads(),
    Array.from({ length: 300 }, (_, i) => String(i))
  )
})

test('pipelined requests are answered in order, good and bad ones alike', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const requests = Array.from({ length: 200 }, (_, i) => post(`n${i}`, i % 10 === 3 ? { 'Ce-Id': undefined } : {}))
  client.write(requests.join(''))
  for (let i = 0; i < 200; i++) assert.equal((await client.next()).status, i % 10 === 3 ? 400 : 200, `request ${i}`)
  assert.equal(receiver.received, 180)
  assert.equal(receiver.rejected.length, 20)
})

const BAD_EVENTS: readonly [reason: RejectReason, body: string, headers: Record<string, string | undefined>][] = [
  ['not_a_cloudevent', '{}', NO_EVENT],
  ['missing_attribute', '{}', { 'Ce-Id': undefined }],
  ['missing_attribute', '{}', { 'Ce-Type': '' }],
  ['unsupported_specversion', '{}', { 'Ce-Specversion': '2.0' }],
  ['invalid_data', 'not base64!', { 'Ce-Specversion': '0.3', 'Ce-Datacontentencoding': 'base64' }],
  ['invalid_json', '{"id":', { ...NO_EVENT, 'Content-Type': STRUCTURED }],
  [
    'invalid_attribute',
    '{"specversion":"1.0","id":"1","source":"s","type":"t","x":1.5}',
    { ...NO_EVENT, 'Content-Type': STRUCTURED }
  ],
  ['invalid_batch', '{}', { ...NO_EVENT, 'Content-Type': BATCH }],
  ['unsupported_format', '{}', { ...NO_EVENT, 'Content-Type': 'application/cloudevents+avro' }],
  ['unsupported_format', '{}', { ...NO_EVENT, 'Content-Type': 'application/cloudevents-batch+avro' }],
  ['unsupported_content_encoding', '{}', { ...NO_EVENT, 'Content-Type': STRUCTURED, 'Content-Encoding': 'gzip' }]
]

for (const [reason, body, headers] of BAD_EVENTS) {
  test(`${reason} is answered ${STATUS[reason]} with the reason, and counted: ${body}`, async t => {
    const receiver = await TestReceiver.start(t)
    const client = await receiver.connect()
    client.write(post(body, headers))
    assertRejected(await client.next(), reason)
    assert.deepEqual(receiver.rejected, [reason])
    assert.equal(receiver.store.pendingEvents, 0)
    client.write(post('the connection is still good'))
    assert.equal((await client.next()).status, 200)
  })
}

test('a batch with one bad event is refused as a whole, naming the one', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const good = { specversion: '1.0', id: '1', source: 's', type: 't' }
  const batch = (...events: object[]): string => post(JSON.stringify(events), { ...NO_EVENT, 'Content-Type': BATCH })
  client.write(batch(good, { ...good, id: '' }, good))
  assert.match(assertRejected(await client.next(), 'missing_attribute'), /event 1 /)
  assert.equal(receiver.store.pendingEvents, 0)
  client.write(batch(good, good, good))
  assert.equal((await client.next()).status, 200)
  assert.equal(receiver.store.pendingEvents, 3)
  assert.equal(receiver.received, 3)
  client.write(batch())
  assert.equal((await client.next()).status, 200, 'an empty batch is valid')
  assert.equal(receiver.received, 3)
})

for (const method of ['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']) {
  test(`${method} is answered 405 with Allow, and the connection is kept`, async t => {
    const receiver = await TestReceiver.start(t)
    const client = await receiver.connect()
    client.write(post('', { 'Content-Length': undefined }, { method }))
    if (method === 'HEAD') {
      // Its answer has the length of a body that does not come.
      while (!client.leftOver.includes('\r\n\r\n')) await new Promise(resolve => setTimeout(resolve, 5))
      assert.match(client.leftOver, /^HTTP\/1.1 405 [^]*\r\nAllow: POST\r\n[^]*\r\n\r\n$/)
      assert.deepEqual(receiver.rejected, ['method_not_allowed'])
      return
    }
    const response = await client.next()
    assert.match(assertRejected(response, 'method_not_allowed'), new RegExp(method))
    assert.equal(response.headers.get('allow'), 'POST')
    client.write(post('still here'))
    assert.equal((await client.next()).status, 200)
    assert.deepEqual(receiver.rejected, ['method_not_allowed'])
  })
}

const FULL: readonly [string, RejectReason, ReceiverOptions, first: string, second: string][] = [
  ['a full queue', 'queue_full', { memoryMaxBytes: 2000 }, post('a'), post('b')],
  [
    'a topic too many',
    'too_many_topics',
    { topic: '{inferenceservicename}', maxTopics: 1 },
    post('a', { 'Ce-Inferenceservicename': 'one' }),
    post('b', { 'Ce-Inferenceservicename': 'two' })
  ]
]

for (const [what, reason, options, first, second] of FULL) {
  test(`${what} is answered 503 with Retry-After, and the connection is kept`, async t => {
    const receiver = await TestReceiver.start(t, options)
    const client = await receiver.connect()
    client.write(first)
    assert.equal((await client.next()).status, 200)
    for (let i = 0; i < 2; i++) {
      client.write(second)
      const response = await client.next()
      assertRejected(response, reason)
      assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
    }
    assert.deepEqual(receiver.rejected, [reason, reason])
    const [stored] = receiver.taken()
    assert.equal(receiver.store.pendingEvents, 1, 'what was refused was not taken')
    if (stored !== undefined) receiver.store.release(stored)
    client.write(first)
    assert.equal((await client.next()).status, 200, 'what fits is taken again')
  })
}

test('an event that has no topic is answered 400 saying which attribute is missing', async t => {
  const receiver = await TestReceiver.start(t, { topic: '{namespace}-events' })
  const client = await receiver.connect()
  client.write(post('{}'))
  assert.match(assertRejected(await client.next(), 'no_topic'), /attribute namespace.*KAFKA_TOPIC/)
  assert.deepEqual(receiver.rejected, ['no_topic'])
})

test('the reply waits for the store, and only for the store', async t => {
  const store = new SlowStore()
  const receiver = await TestReceiver.start(t, { dependencies: { store } })
  const client = await receiver.connect()
  client.write(post('{}'))
  await store.holds(1)
  assert.equal(client.leftOver, '')
  assert.equal(receiver.received, 0)
  store.answer('stored')
  assert.equal((await client.next()).status, 200)
  assert.equal(receiver.received, 1)
})

test('a fault of ours is answered 500, told to the operator, and says nothing of its inside', async t => {
  const template = parseTopicTemplate('events')
  let broken = true
  const receiver = await TestReceiver.start(t, {
    dependencies: {
      topicOf: event => {
        if (broken) throw new TypeError('secret internals')
        return topicOf(template, event)
      }
    }
  })
  const client = await receiver.connect()
  client.write(post('{}'))
  const response = await client.next()
  assertRejected(response, 'internal_error')
  assert.doesNotMatch(response.body, /secret internals/)
  assert.equal((receiver.failures[0] as Error).message, 'secret internals')
  broken = false
  client.write(post('{}'))
  assert.equal((await client.next()).status, 200)
})

test('a payload comes back in no reply', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const secret = 'do-not-quote-me'
  client.write(post(`{"id": ${secret}`, { ...NO_EVENT, 'Content-Type': STRUCTURED }))
  assert.doesNotMatch((await client.next()).body, new RegExp(secret))
  client.write(post(secret, { 'Ce-Specversion': '0.3', 'Ce-Datacontentencoding': 'base64' }))
  assert.doesNotMatch((await client.next()).body, new RegExp(secret))
})

test('chunked bodies are put together', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const body = 'abcdefghij'.repeat(100)
  for (const size of [1, 7, 999, 1000]) {
    client.write(post('', { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }) + chunked(body, size))
    assert.equal((await client.next()).status, 200)
  }
  assert.deepEqual(receiver.payloads(), [body, body, body, body])
})
