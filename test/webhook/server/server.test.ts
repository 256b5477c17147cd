import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { realReview } from './client.ts'
import { open } from './connection.ts'
import { Serving, until } from './harness.ts'

const HEAD = 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
const BODY = JSON.stringify(realReview())
const REQUEST = `${HEAD}Content-Length: ${Buffer.byteLength(BODY)}\r\n\r\n${BODY}`

describe('TLS', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${version} is spoken`, async t => {
      const { port } = await Serving.start(t)
      const { socket } = await open(t, port, { minVersion: version, maxVersion: version })
      assert.equal(socket.getProtocol(), version)
    })
  }

  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    test(`${version} is refused`, async t => {
      const serving = await Serving.start(t)
      // OpenSSL itself would not even try.
      const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const
      await assert.rejects(open(t, serving.port, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
      await until('told', () => serving.tlsErrors.length > 0)
    })
  }

  test('the certificate is for the names that clients ask for, and from the CA that they trust', async t => {
    const serving = await Serving.start(t)
    await assert.rejects(open(t, serving.port, { ca: [], maxVersion: 'TLSv1.2' }))
    await assert.rejects(open(t, serving.port, { servername: 'elsewhere' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    const { socket } = await open(t, serving.port)
    assert.equal(socket.authorized, true)
  })
})

describe('connections', () => {
  test('are kept for longer than the 90 s that the API server keeps them', async t => {
    const { port } = await Serving.start(t)
    const connection = await open(t, port)
    await connection.ask(REQUEST)
    const answer = await connection.ask(REQUEST)
    assert.equal(connection.answers, 2)
    assert.match(answer, /connection: keep-alive/i)
    assert.ok(Number(/timeout=(\d+)/.exec(answer)?.[1]) > 90, answer)
  })

  test('that send their headers slowly, or never, are closed', async t => {
    const { port } = await Serving.start(t, { limits: { headersTimeoutMs: 200 } })
    const silent = await open(t, port)
    const slow = await open(t, port)
    const dripping = setInterval(() => slow.socket.write('X'), 50)
    t.after(() => clearInterval(dripping))
    slow.socket.write(HEAD)
    await until('closed', () => silent.closed && slow.closed)
    assert.match(slow.received, /^HTTP\/1\.1 408/)
  })

  test('that send their body slowly have an answer, and are closed', async t => {
    const { port } = await Serving.start(t, { bodyTimeoutMs: 150 })
    const slow = await open(t, port)
    const dripping = setInterval(() => slow.socket.write(' '), 20)
    t.after(() => clearInterval(dripping))
    await slow.ask(`${HEAD}Content-Length: 100000\r\n\r\n{`)
    assert.match(slow.received, /^HTTP\/1\.1 408[^]*connection: close[^]*the body did not arrive in time\n$/i)
    await until('closed', () => slow.closed)
  })

  test('that have had that answer have no other when their body is complete after all', async t => {
    const serving = await Serving.start(t, { bodyTimeoutMs: 50 })
    const slow = await open(t, serving.port, { allowHalfOpen: true } as object)
    await slow.ask(REQUEST.slice(0, -1000))
    slow.socket.end(REQUEST.slice(-1000))
    await until('closed', () => slow.closed)
    assert.equal(slow.answers, 1)
    assert.deepEqual(serving.observer.told, ['refused 408'])
    assert.equal((await serving.client(t).review(realReview())).allowed, true)
  })

  test('that never finish their handshake are closed', async t => {
    const { port } = await Serving.start(t, { limits: { handshakeTimeoutMs: 100 } })
    const socket = connectTcp({ port, host: '127.0.0.1' })
    t.after(() => socket.destroy())
    socket.resume().on('error', () => {})
    await until('closed', () => socket.destroyed, 2000)
  })

  test('are bounded in number', async t => {
    const serving = await Serving.start(t, { limits: { maxConnections: 3 } })
    const three = await Promise.all([1, 2, 3].map(() => open(t, serving.port)))
    await assert.rejects(open(t, serving.port))
    assert.equal(serving.dropped, 1)
    assert.match((await three[0]?.ask(REQUEST)) ?? '', /200 OK/)
  })
})

describe('the end', () => {
  test('while the process is about to end, replies close their connections, and new ones are taken', async t => {
    const serving = await Serving.start(t)
    const old = await open(t, serving.port)
    assert.match(await old.ask(REQUEST), /connection: keep-alive/i)
    serving.closing = true
    old.received = ''
    assert.match(await old.ask(REQUEST), /200 OK[^]*connection: close/i)
    await until('closed', () => old.closed)
    const fresh = await open(t, serving.port)
    assert.match(await fresh.ask(REQUEST), /200 OK[^]*connection: close/i)
  })

  test('takes no new connection, closes those that are idle, and answers what is there', async t => {
    const serving = await Serving.start(t)
    const [idle, unused, busy, fresh, used] = await Promise.all([1, 2, 3, 4, 5].map(() => open(t, serving.port)))
    assert.ok(idle && unused && busy && fresh && used)
    await Promise.all([idle.ask(REQUEST), used.ask(REQUEST)])
    used.received = ''
    serving.closing = true
    busy.socket.write(REQUEST.slice(0, -1000))
    await until('in flight', () => serving.observer.inFlight === 1)
    const stopped = serving.server.stop(5000)
    await assert.rejects(open(t, serving.port), { code: 'ECONNREFUSED' })
    // They could not know.
    for (const connection of [fresh, used]) assert.match(await connection.ask(REQUEST), /200 OK[^]*connection: close/i)
    await until('closed', () => idle.closed && unused.closed)
    await sleep(50)
    assert.match(await busy.ask(REQUEST.slice(-1000)), /200 OK[^]*connection: close/i)
    await stopped
  })

  test('waits for nobody longer than it was told', async t => {
    const serving = await Serving.start(t)
    const busy = await open(t, serving.port)
    busy.socket.write(REQUEST.slice(0, -1000))
    const shaking = connectTcp({ port: serving.port, host: '127.0.0.1' }).on('error', () => {})
    t.after(() => shaking.destroy())
    await once(shaking, 'connect')
    await until('in flight', () => serving.observer.inFlight === 1)
    const start = performance.now()
    await serving.server.stop(300)
    const took = performance.now() - start
    assert.ok(took >= 290 && took < 1500, `${took} ms`)
  })
})
