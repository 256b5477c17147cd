import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listenAll, ListenError } from '../../sidecar/listen.ts'
import { TestReceiver } from './harness.ts'
import { post } from './raw-client.ts'

/** A documentation address (RFC 3849): this machine has not got it, as a machine without IPv6 has not got ::1. */
const NOT_HERE = { host: '2001:db8::1', port: 0 }
const LOOPBACK = { host: '127.0.0.1', port: 0 }

test('127.0.0.1 and ::1 are both listened on', async t => {
  const receiver = await TestReceiver.start(t, { listen: [LOOPBACK, { host: '::1', port: 0 }] })
  const [v4, v6] = receiver.addresses
  assert.match(v4 ?? '', /^127\.0\.0\.1:[1-9]\d+$/)
  assert.match(v6 ?? '', /^\[::1\]:[1-9]\d+$/)
  for (const address of receiver.addresses) {
    const client = await receiver.connect(address)
    client.write(post(address))
    assert.equal((await client.next()).status, 200)
  }
  assert.deepEqual(receiver.payloads(), receiver.addresses)
})

test('where IPv6 is switched off, the other address is enough', async t => {
  const receiver = await TestReceiver.start(t, { listen: [LOOPBACK, NOT_HERE] })
  assert.equal(receiver.addresses.length, 1)
  const client = await receiver.connect()
  client.write(post('{}'))
  assert.equal((await client.next()).status, 200)
})

test('no address at all is an error that says what to do', async t => {
  const receiver = new TestReceiver(t, { listen: [NOT_HERE] })
  await assert.rejects(receiver.server.start(), (error: Error) => {
    assert.ok(error instanceof ListenError)
    assert.match(error.message, /cannot listen on \[2001:db8::1\]:0: .*set INFERENCE_LOGGER_LISTEN/)
    return true
  })
})

test('an IPv4 address that is not here is an error, since nothing switches IPv4 off', async t => {
  const receiver = new TestReceiver(t, { listen: [LOOPBACK, { host: '192.0.2.1', port: 0 }] })
  await assert.rejects(receiver.server.start(), /cannot listen on 192\.0\.2\.1:0: .*no such address/)
})

test('a port in use is an error that says which and what to do, and the other addresses are let go', async t => {
  const first = await TestReceiver.start(t)
  const port = Number(first.addresses[0]?.split(':').at(-1))
  const free = createServer()
  const [reserved] = await listenAll([free], [LOOPBACK], 'ANY')
  await new Promise(resolve => free.close(resolve))
  const freePort = Number(reserved?.split(':').at(-1))
  const second = new TestReceiver(t, {
    listen: [
      { host: '127.0.0.1', port: freePort },
      { host: '127.0.0.1', port }
    ]
  })
  await assert.rejects(second.server.start(), (error: Error) => {
    assert.ok(error instanceof ListenError)
    assert.match(
      error.message,
      new RegExp(`127\\.0\\.0\\.1:${port}: the port is in use; .*set INFERENCE_LOGGER_LISTEN`)
    )
    return true
  })
  const third = await TestReceiver.start(t, { listen: [{ host: '127.0.0.1', port: freePort }] })
  assert.deepEqual(third.addresses, [`127.0.0.1:${freePort}`])
})

describe('what the system says of an address is told with what to do about it', () => {
  for (const [code, host, pattern] of [
    ['EACCES', '127.0.0.1', /not permitted; set IT to a port above 1023/],
    ['EADDRNOTAVAIL', '::1', /no such address; set IT/],
    ['EAFNOSUPPORT', '::1', /no such address; set IT/],
    ['EMFILE', '127.0.0.1', /EMFILE; check IT/]
  ] as const) {
    test(`${code} on ${host}`, async () => {
      const server = createServer()
      server.listen = () => {
        process.nextTick(() => server.emit('error', Object.assign(new Error(code), { code })))
        return server
      }
      await assert.rejects(listenAll([server], [{ host, port: 80 }], 'IT'), pattern)
    })
  }

  for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL']) {
    test(`${code} on ::1 beside an address that works is no error`, async t => {
      const works = createServer()
      const broken = createServer()
      t.after(() => works.close())
      broken.listen = (): Server => {
        process.nextTick(() => broken.emit('error', Object.assign(new Error(code), { code })))
        return broken
      }
      const bound = await listenAll([works, broken], [LOOPBACK, { host: '::1', port: 80 }], 'IT')
      assert.equal(bound.length, 1)
    })

    test(`${code} on :: is answered with 0.0.0.0, as Node does without a host`, async t => {
      const server = createServer()
      t.after(() => server.close())
      const listen = server.listen.bind(server)
      server.listen = (options: unknown): Server => {
        if ((options as { host: string }).host === '0.0.0.0') return listen(options as object)
        process.nextTick(() => server.emit('error', Object.assign(new Error(code), { code })))
        return server
      }
      const [bound] = await listenAll([server], [{ host: '::', port: 0 }], 'IT')
      assert.match(bound ?? '', /^0\.0\.0\.0:[1-9]/)
    })
  }
})

test('more connections than allowed are closed at once and counted; those that are there go on', async t => {
  const receiver = await TestReceiver.start(t, { maxConnections: 2 })
  const clients = [await receiver.connect(), await receiver.connect()]
  for (const client of clients) {
    client.write(post('{}'))
    assert.equal((await client.next()).status, 200)
  }
  const third = await receiver.connect()
  await third.closed
  assert.equal(third.leftOver, '')
  assert.deepEqual(receiver.rejected, ['too_many_connections'])
  clients[0]?.write(post('{}'))
  assert.equal((await clients[0]?.next())?.status, 200)
  clients[1]?.close()
  await clients[1]?.closed
  await sleep(20)
  const fourth = await receiver.connect()
  fourth.write(post('{}'))
  assert.equal((await fourth.next()).status, 200)
})

test('stop answers the request that is there, lets idle connections go and takes no new one', async t => {
  const receiver = await TestReceiver.start(t)
  const [busy, idle] = [await receiver.connect(), await receiver.connect()]
  idle.write(post('{}'))
  await idle.next()
  const request = post('in two parts')
  busy.write(request.slice(0, -5))
  await sleep(20)
  const stopped = receiver.server.stop(3000)
  await idle.closed
  await assert.rejects(receiver.connect(), { code: 'ECONNREFUSED' })
  busy.write(request.slice(-5))
  assert.equal((await busy.next()).status, 200)
  const asked = Date.now()
  busy.close()
  await stopped
  assert.ok(Date.now() - asked < 1000)
  assert.equal(receiver.received, 2)
})

test('stop waits for a slow request no longer than it was told', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  client.write(post('never complete').slice(0, -3))
  await sleep(20)
  const start = Date.now()
  await receiver.server.stop(100)
  const took = Date.now() - start
  assert.ok(took >= 95 && took < 1000, `took ${took} ms`)
  await client.closed
  assert.equal(receiver.store.pendingEvents, 0)
})

test('the time since the last request is known', async t => {
  const receiver = await TestReceiver.start(t)
  const client = await receiver.connect()
  await sleep(60)
  assert.ok(receiver.server.idleMs >= 50)
  client.write(post('{}'))
  await client.next()
  assert.ok(receiver.server.idleMs < 50)
})
