import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STATUS, type RejectReason } from '../../sidecar/receiver/replies.ts'
import { TestReceiver } from './harness.ts'
import { post, type RawClient } from './raw-client.ts'

const MUCH_MORE = Array<string>(20).fill('x'.repeat(50_000))

async function assertClosedWith(client: RawClient, reason: RejectReason, timeoutMs?: number): Promise<void> {
  const response = await client.next(timeoutMs)
  assert.equal(response.status, STATUS[reason])
  assert.equal(response.headers.get('connection'), 'close')
  assert.equal((JSON.parse(response.body) as { reason: string }).reason, reason)
  await client.closed
  assert.equal(client.leftOver, '')
}

test('a metadata header of 17 kB is taken', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const metadata = JSON.stringify({ 'X-Large': ['m'.repeat(17_000)] })
  client.write(post('{}', { 'Ce-Metadata': metadata }))
  assert.equal((await client.next()).status, 200)
  const [stored] = receiver.taken()
  assert.equal(stored?.event.attributes.find(({ name }) => name === 'metadata')?.value, metadata)
})

test('headers beyond 64 KiB are answered 431, and counted once', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  client.write(post('{}', { 'Ce-Metadata': 'm'.repeat(66_000) }))
  await assertClosedWith(client, 'headers_too_large')
  assert.deepEqual(receiver.rejected, ['headers_too_large'])
})

test('regression: 431 reaches a sender that goes on sending', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(70_000)}`
  await client.writeBlindly([head, ...MUCH_MORE])
  await assertClosedWith(client, 'headers_too_large')
  assert.deepEqual(receiver.rejected, ['headers_too_large'])
})

for (const [what, bytes] of [
  ['no HTTP', 'GARBAGE\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['a length and chunks', post('ab', { 'Transfer-Encoding': 'chunked' })],
  ['a length that is no number', post('{}', { 'Content-Length': 'two' })],
  ['a bad chunk', post('zz\r\n', { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' })],
  ['a NUL in a header', post('{}', { 'Ce-Metadata': 'a\0b' })]
] as const) {
  test(`malformed HTTP is answered 400 and closed: ${what}`, async t => {
    const receiver = await TestReceiver.start(t)
    const client = await receiver.connect()
    client.write(Buffer.from(bytes, 'latin1'))
    await assertClosedWith(client, 'malformed_http')
    assert.deepEqual(receiver.rejected, ['malformed_http'])
    assert.equal(receiver.store.pendingEvents, 0)
  })
}

test('a request without Host is taken: node:http would refuse it without a reason and uncounted', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  client.write(post('{}', { Host: undefined }))
  assert.equal((await client.next()).status, 200)
})

test('regression: 400 for malformed HTTP reaches a sender that goes on sending, and is counted once', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  await client.writeBlindly(['GARBAGE\r\n\r\n', ...MUCH_MORE])
  await assertClosedWith(client, 'malformed_http')
  assert.deepEqual(receiver.rejected, ['malformed_http'])
})

// node:http looks for slow requests every five seconds, so these wait that long, together.
test('slow requests are answered 408 and closed', { concurrency: true }, async t => {
  const receiver = await TestReceiver.start(t, { requestTimeout: 600 })
  const [headers, body, refused, unused, idle] = await Promise.all(Array.from({ length: 5 }, () => receiver.connect()))
  assert.ok(headers && body && refused && unused && idle)
  headers.write('POST / HTTP/1.1\r\nHost: localhost\r\n')
  body.write(post('', { 'Content-Length': '10' }))
  body.write('half')
  // Twice as much as is taken: refused at once, and the rest is waited for.
  refused.write(post('', { 'Content-Length': '20000' }))
  assert.equal((await refused.next()).status, 413)
  idle.write(post('{}'))
  assert.equal((await idle.next()).status, 200)
  await Promise.all([
    t.test('slow headers', () => assertClosedWith(headers, 'request_timeout', 8000)),
    t.test('a slow body, which is not taken when its rest comes after all', async () => {
      const response = await body.next(8000)
      assert.equal(response.status, 408)
      assert.equal(response.headers.get('connection'), 'close')
      body.write('a half')
      await body.closed
    }),
    t.test('the rest of a body that was refused', () => assertClosedWith(refused, 'request_timeout', 8000)),
    t.test('a connection on which nothing was asked is closed without an answer', async () => {
      await unused.closed
      assert.equal(unused.leftOver, '')
    })
  ])
  await t.test('an idle connection is kept', async () => {
    idle.write(post('{}'))
    assert.equal((await idle.next()).status, 200)
  })
  assert.deepEqual(receiver.rejected, ['event_too_large', 'request_timeout', 'request_timeout', 'request_timeout'])
  assert.equal(receiver.store.pendingEvents, 2)
})
