import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestReceiver, type ReceiverOptions } from './harness.ts'
import { post, type RawClient, type RawResponse } from './raw-client.ts'
import { SlowStore } from './slow-store.ts'

const LIMIT = 1000
const CHUNKED = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }
const MUCH_MORE = Array<string>(20).fill('x'.repeat(50_000))

interface Setting {
  readonly store: SlowStore
  readonly receiver: TestReceiver
  readonly client: RawClient
}

/** A receiver whose store answers when a test says so, and a connection to it. */
async function start(t: TestContext, options: ReceiverOptions = {}): Promise<Setting> {
  const store = new SlowStore()
  const receiver = await TestReceiver.start(t, {
    maxEventBytes: LIMIT,
    ...options,
    dependencies: { store, ...options.dependencies }
  })
  return { store, receiver, client: await receiver.connect() }
}

function reasonOf({ body }: RawResponse): string {
  return (JSON.parse(body) as { reason: string }).reason
}

test('replies keep the order of the requests, in whatever order the store answers', async t => {
  const { store, client } = await start(t)
  client.write(['a', 'b', 'c', 'd'].map(text => post(text)).join(''))
  await store.holds(4)
  store.answer('full', 3)
  store.answer('failed', 1)
  store.answer('stored', 1)
  await sleep(20)
  assert.equal(client.leftOver, '', 'the first has no reply yet')
  store.answer('stored')
  const replies = [await client.next(), await client.next(), await client.next(), await client.next()]
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 503, 200, 503]
  )
})

test('a journal that cannot be written is answered 503 with what decides it, and the connection is kept', async t => {
  const { store, receiver, client } = await start(t)
  client.write(post('a'))
  await store.holds(1)
  store.answer('failed')
  const response = await client.next()
  assert.equal(response.status, 503)
  assert.equal(reasonOf(response), 'journal_failed')
  assert.match(response.body, /INFERENCE_LOGGER_WHEN_JOURNAL_FAILS=reject.*log/)
  assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
  assert.deepEqual(receiver.rejected, ['journal_failed'])
  assert.equal(receiver.received, 0)
  client.write(post('b'))
  await store.holds(1)
  store.answer('stored')
  assert.equal((await client.next()).status, 200)
})

describe('an answer that ends the connection waits for those before it', () => {
  const ENDINGS: readonly [what: string, reason: string, pieces: readonly string[]][] = [
    ['a body that declares far too much', 'event_too_large', [post('', { 'Content-Length': '2000000' }), ...MUCH_MORE]],
    [
      'chunks that are far too much',
      'event_too_large',
      [post('', CHUNKED), ...MUCH_MORE.map(more => `c350\r\n${more}\r\n`)]
    ],
    [
      'a body that is refused before it is sent',
      'event_too_large',
      [post('', { Expect: '100-continue', 'Content-Length': '2000000' })]
    ],
    ['a bad chunk', 'malformed_http', [post('', CHUNKED), 'zz\r\n', ...MUCH_MORE]],
    ['no HTTP', 'malformed_http', ['GARBAGE\r\n\r\n', ...MUCH_MORE]],
    ['headers beyond 64 KiB', 'headers_too_large', [`POST / HTTP/1.1\r\nX-Large: ${'x'.repeat(70_000)}`, ...MUCH_MORE]]
  ]
  for (const [what, reason, pieces] of ENDINGS) {
    for (const count of [1, 3]) {
      test(`${what}, after ${count}`, async t => {
        const { store, receiver, client } = await start(t)
        client.write(post('early').repeat(count))
        await store.holds(count)
        await client.writeBlindly(pieces)
        await sleep(30)
        assert.equal(client.leftOver, '', 'nothing comes before the first reply')
        for (let i = 0; i < count; i++) store.answer('stored')
        for (let i = 0; i < count; i++) assert.equal((await client.next()).status, 200)
        const last = await client.next()
        assert.equal(reasonOf(last), reason)
        assert.equal(last.headers.get('connection'), 'close')
        await client.closed
        assert.equal(client.leftOver, '')
        assert.deepEqual(receiver.rejected, [reason], 'counted once')
        assert.equal(receiver.received, count)
      })
    }
  }

  test('a sender that goes on sending when the answer is out still reads it', async t => {
    const { store, client } = await start(t)
    client.write(post('early'))
    await store.holds(1)
    client.write(post('', { 'Content-Length': '3000000' }))
    await sleep(20)
    store.answer('stored')
    await client.writeBlindly([...MUCH_MORE, ...MUCH_MORE])
    assert.equal((await client.next()).status, 200)
    assert.equal((await client.next()).status, 413)
    await client.closed
  })

  test('what comes after it on the same connection is not taken: it could not be answered', async t => {
    const { store, receiver, client } = await start(t)
    client.write(post('early'))
    await store.holds(1)
    client.write(post('x'.repeat(3 * LIMIT)) + post('late'))
    await sleep(30)
    assert.equal(store.open.length, 1)
    store.answer('stored')
    assert.equal((await client.next()).status, 200)
    assert.equal((await client.next()).status, 413)
    await client.closed
    assert.equal(client.leftOver, '')
    assert.equal(receiver.received, 1)
  })

  test('the sender may have asked for the end itself, with the request before', async t => {
    const { store, receiver, client } = await start(t)
    client.write(post('last', { Connection: 'close' }))
    await store.holds(1)
    client.write('GARBAGE\r\n\r\n')
    await sleep(20)
    store.answer('stored')
    assert.equal((await client.next()).status, 200)
    await client.closed
    assert.equal(client.leftOver, '')
    assert.equal(receiver.received, 1)
  })
})

describe('a sender that is gone when the store answers', () => {
  for (const leave of ['reset', 'close'] as const) {
    for (const outcome of ['stored', 'full', 'failed'] as const) {
      test(`by ${leave}, ${outcome}: nothing breaks, and what was stored counts as received`, async t => {
        const { store, receiver, client } = await start(t)
        client.write(post('a') + post('b'))
        await store.holds(2)
        if (leave === 'reset') client.socket.resetAndDestroy()
        else client.close()
        await client.closed
        await sleep(20)
        store.answer(outcome)
        store.answer(outcome)
        await sleep(20)
        assert.equal(receiver.received, outcome === 'stored' ? 2 : 0)
        assert.equal(receiver.rejected.length, outcome === 'stored' ? 0 : 2)
        assert.deepEqual(receiver.failures, [])
        const other = await receiver.connect()
        other.write(post('c'))
        await store.holds(1)
        store.answer('stored')
        assert.equal((await other.next()).status, 200)
      })
    }
  }

  test('and had sent far too much after it', async t => {
    const { store, receiver, client } = await start(t)
    client.write(post('a') + post('', { 'Content-Length': '2000000' }))
    await store.holds(1)
    client.socket.resetAndDestroy()
    await sleep(20)
    store.answer('stored')
    await sleep(20)
    assert.equal(receiver.received, 1)
    assert.deepEqual(receiver.failures, [])
  })

  // node:http ends its half as soon as the sender has, unless it is told to wait for the reply: server.httpAllowHalfOpen.
  test('only with its sending half still gets the reply', async t => {
    const { store, client } = await start(t)
    client.socket.end(post('last words'))
    await store.holds(1)
    await sleep(20)
    store.answer('stored')
    assert.equal((await client.next()).status, 200)
    await client.closed
  })
})

test('a fault in counting does not reach the store, and the sender of a stored event is answered all the same', async t => {
  let broken = true
  const { store, receiver, client } = await start(t, {
    dependencies: {
      observer: {
        received: () => {
          if (broken) throw new TypeError('a fault')
          receiver.received++
        },
        acknowledged: () => {},
        rejected: () => {},
        irregular: () => {},
        failed: error => void receiver.failures.push(error)
      }
    }
  })
  client.write(post('a'))
  await store.holds(1)
  store.answer('stored')
  assert.equal((await client.next()).status, 200)
  assert.equal((receiver.failures[0] as Error).message, 'a fault')
  broken = false
  const other = await receiver.connect()
  other.write(post('b'))
  await store.holds(1)
  store.answer('stored')
  assert.equal((await other.next()).status, 200)
  assert.equal(receiver.received, 1)
})

describe('the end', () => {
  test('waits for the replies that wait for the store', async t => {
    const { store, receiver, client } = await start(t)
    client.write(post('a', { Connection: 'close' }))
    await store.holds(1)
    const asked = Date.now()
    const stopped = receiver.server.stop(5000)
    await sleep(150)
    store.answer('stored')
    assert.equal((await client.next()).status, 200)
    await stopped
    const took = Date.now() - asked
    assert.ok(took >= 145 && took < 2000, `${took} ms`)
    assert.equal(receiver.received, 1)
  })

  test('waits no longer than it was told, and an outcome that comes later still counts', async t => {
    const { store, receiver, client } = await start(t)
    client.write(post('a'))
    await store.holds(1)
    const asked = Date.now()
    await receiver.server.stop(100)
    const took = Date.now() - asked
    assert.ok(took >= 95 && took < 1000, `${took} ms`)
    await client.closed
    store.answer('stored')
    assert.equal(receiver.received, 1)
    assert.deepEqual(receiver.failures, [])
  })
})
