import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestReceiver } from './harness.ts'
import { post, type RawClient } from './raw-client.ts'

const LIMIT = 1000
const CHUNKED = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }

/** Starts a receiver that takes bodies of up to 1000 bytes, and connects to it. */
async function connected(t: Parameters<typeof TestReceiver.start>[0]): Promise<[TestReceiver, RawClient]> {
  const receiver = await TestReceiver.start(t, { maxEventBytes: LIMIT })
  return [receiver, await receiver.connect()]
}

/** Lets the server read what was written so far before more comes. */
async function writeApart(client: RawClient, ...pieces: string[]): Promise<void> {
  for (const piece of pieces) {
    client.write(piece)
    await sleep(15)
  }
}

test('a body comes in one, two and many pieces', async t => {
  const [receiver, client] = await connected(t)
  const request = post('0123456789'.repeat(20))
  const bodyStart = request.length - 200
  await writeApart(client, request)
  assert.equal((await client.next()).status, 200)
  await writeApart(client, request.slice(0, bodyStart + 50), request.slice(bodyStart + 50))
  assert.equal((await client.next()).status, 200)
  await writeApart(client, request.slice(0, bodyStart), ...(request.slice(bodyStart).match(/.{1,30}/gs) ?? []))
  assert.equal((await client.next()).status, 200)
  assert.deepEqual(receiver.payloads(), Array(3).fill('0123456789'.repeat(20)))
})

test('a body of exactly the limit is taken, one byte more is not', async t => {
  const [receiver, client] = await connected(t)
  client.write(post('x'.repeat(LIMIT)))
  assert.equal((await client.next()).status, 200)
  client.write(post('x'.repeat(LIMIT + 1)))
  const response = await client.next()
  assert.equal(response.status, 413)
  assert.match(response.body, /1000 bytes \(INFERENCE_LOGGER_MAX_EVENT_BYTES\).*"reason":"event_too_large"/)
  assert.deepEqual(receiver.rejected, ['event_too_large'])
})

test('413 keeps the connection when little more is to come', async t => {
  const [receiver, client] = await connected(t)
  for (let i = 0; i < 3; i++) {
    client.write(post('x'.repeat(2 * LIMIT)))
    const response = await client.next()
    assert.equal(response.status, 413)
    assert.notEqual(response.headers.get('connection'), 'close')
  }
  client.write(post('fits'))
  assert.equal((await client.next()).status, 200)
  assert.deepEqual(receiver.payloads(), ['fits'])
})

const FAR_TOO_LARGE: readonly [string, (bytes: number) => [head: string, body: string]][] = [
  ['declared', bytes => [post('', { 'Content-Length': String(bytes) }), 'x'.repeat(bytes)]],
  [
    'chunked',
    bytes => [post('', CHUNKED), `${'3e8\r\n'.concat('x'.repeat(1000), '\r\n').repeat(bytes / 1000)}0\r\n\r\n`]
  ]
]

for (const [how, make] of FAR_TOO_LARGE) {
  test(`413, ${how}, with much to come: the answer can be read by a sender that goes on sending, then it is closed`, async t => {
    const [receiver, client] = await connected(t)
    const [head, body] = make(2_000_000)
    await client.writeBlindly([head, ...(body.match(/[^]{1,100000}/g) ?? [])])
    const response = await client.next()
    assert.equal(response.status, 413)
    assert.equal(response.headers.get('connection'), 'close')
    assert.equal((JSON.parse(response.body) as { reason: string }).reason, 'event_too_large')
    await client.closed
    assert.deepEqual(receiver.rejected, ['event_too_large'])
    assert.equal(receiver.store.pendingEvents, 0)
  })
}

test('413 with a body that never ends: the connection is closed all the same', async t => {
  const receiver = await TestReceiver.start(t, { maxEventBytes: LIMIT })
  const client = await receiver.connect(undefined, true)
  client.write(post('', CHUNKED))
  const endless = setInterval(() => client.write(`3e8\r\n${'x'.repeat(1000)}\r\n`), 5)
  t.after(() => clearInterval(endless))
  assert.equal((await client.next()).status, 413)
  await client.closed
  assert.deepEqual(receiver.rejected, ['event_too_large'])
})

test('Expect: 100-continue is answered 100, then 200', async t => {
  const [receiver, client] = await connected(t)
  const [head, body] = post('payload', { Expect: '100-continue' }).split('payload')
  assert.equal(body, '')
  client.write(head ?? '')
  assert.equal((await client.next()).status, 100)
  assert.equal(receiver.store.pendingEvents, 0)
  client.write('payload')
  assert.equal((await client.next()).status, 200)
  assert.deepEqual(receiver.payloads(), ['payload'])
})

test('Expect: 100-continue with a body that is too large is refused before it is sent', async t => {
  const [receiver, client] = await connected(t)
  client.write(post('', { Expect: '100-continue', 'Content-Length': String(LIMIT + 1) }))
  assert.equal((await client.next()).status, 413, 'no 100 comes first')
  await client.closed
  assert.deepEqual(receiver.rejected, ['event_too_large'])
})

test('any other expectation is answered 417, and the connection is kept', async t => {
  const [receiver, client] = await connected(t)
  client.write(post('{}', { Expect: 'a-miracle' }))
  const response = await client.next()
  assert.equal(response.status, 417)
  assert.equal((JSON.parse(response.body) as { reason: string }).reason, 'expectation_failed')
  client.write(post('{}'))
  assert.equal((await client.next()).status, 200)
  assert.deepEqual(receiver.rejected, ['expectation_failed'])
})

test('a sender that goes away in the middle of a body leaves nothing behind', async t => {
  const receiver = await TestReceiver.start(t)
  for (const leave of ['reset', 'close'] as const) {
    const client = await receiver.connect()
    await writeApart(client, post('', { 'Content-Length': '500' }), 'half of it')
    if (leave === 'reset') client.socket.resetAndDestroy()
    else client.socket.destroy()
    await client.closed
  }
  await sleep(50)
  assert.equal(receiver.store.pendingEvents, 0)
  assert.equal(receiver.received, 0)
  assert.deepEqual(receiver.failures, [])
  const closed = Date.now()
  await receiver.server.stop(5000)
  assert.ok(Date.now() - closed < 1000, 'no connection was left to wait for')
})

test('a sender that closes its half after the request still gets its answer', async t => {
  const [receiver, client] = await connected(t)
  client.socket.end(post('last words'))
  assert.equal((await client.next()).status, 200)
  await client.closed
  assert.deepEqual(receiver.payloads(), ['last words'])
})

test('Connection: close is honoured', async t => {
  const [, client] = await connected(t)
  client.write(post('{}', { Connection: 'close' }))
  const response = await client.next()
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('connection'), 'close')
  await client.closed
})

test('an idle connection that its sender closes, as Go does after 90 s, is no rejection', async t => {
  const [receiver, client] = await connected(t)
  client.write(post('{}'))
  await client.next()
  client.socket.end()
  await once(client.socket, 'close')
  const unused = await receiver.connect()
  unused.socket.end()
  await unused.closed
  assert.deepEqual(receiver.rejected, [])
})
