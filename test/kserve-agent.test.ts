import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatRequest, KServeAgent, rfc3339Nano } from './support/kserve-agent/index.ts'
import { empty200, listen, logMany, rawServer, sinkAndAgent, until } from './support/kserve-agent/test-sinks.ts'

const fixture = (name: string) =>
  readFileSync(new URL(`../../test/fixtures/kserve-requests/${name}.http`, import.meta.url))

test('the bytes are those that the real agent sent', () => {
  for (const [name, type, contentType] of [
    ['master-v0.20__v1-json-metadata__request', 'request', 'application/json'],
    ['master-v0.20__v1-json-metadata__response', 'response', 'application/json'],
    ['master-v0.20__no-content-type__request', 'request', undefined],
    ['v0.15.2__v1-json-metadata__request', 'request', 'application/json']
  ] as const) {
    const captured = fixture(name)
    const bodyStart = captured.indexOf('\r\n\r\n') + 4
    const head = captured.toString('utf8', 0, bodyStart)
    const header = (headerName: string) => new RegExp(`^${headerName}: (.*)\r$`, 'm').exec(head)?.[1]
    const nanoseconds = (time: string) =>
      BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(time.slice(20, -1).padEnd(9, '0'))
    const recorded = header('Ce-Recordedtime')
    const bytes = formatRequest(
      new URL('http://localhost:8085'),
      {
        type,
        id: header('Ce-Id') ?? '',
        body: captured.subarray(bodyStart),
        occurredAt: nanoseconds(header('Ce-Time') ?? ''),
        ...(contentType === undefined ? {} : { contentType })
      },
      {
        inferenceService: 'sklearn-iris',
        namespace: 'default',
        component: 'predictor',
        source: 'http://localhost:9081/',
        metadata: JSON.parse(header('Ce-Metadata') ?? '{}') as Record<string, string[]>,
        annotations: JSON.parse(header('Ce-Annotations') ?? '{}') as Record<string, string>,
        recordedTime: recorded !== undefined
      },
      recorded === undefined ? undefined : nanoseconds(recorded)
    )
    assert.equal(bytes.toString('latin1'), captured.toString('latin1'), name)
  }
})

test('times have nanoseconds without trailing zeros', () => {
  assert.equal(rfc3339Nano(1_795_343_759_679_002_308n), '2026-11-22T10:35:59.679002308Z')
  assert.equal(rfc3339Nano(1_795_343_759_987_124_930n), '2026-11-22T10:35:59.98712493Z')
  assert.equal(rfc3339Nano(1_795_343_759_000_000_000n), '2026-11-22T10:35:59Z')
})

test('an empty 200 lets connections be used again', async t => {
  const { agent } = await sinkAndAgent(t, empty200)
  await logMany(agent, 200)
  await agent.settled()
  assert.deepEqual([...agent.sentByStatus], [[200, 200]])
  assert.ok(agent.connectionsOpened <= 15, `${agent.connectionsOpened} connections for 200 events`)
  assert.equal(agent.replyMs.length, 200)
})

test('a 200 with a body costs one connection per event', async t => {
  const { agent } = await sinkAndAgent(t, (_request, response) => response.end('ok'))
  await logMany(agent, 50)
  await agent.settled()
  assert.equal(agent.sent, 50)
  assert.equal(agent.connectionsOpened, 50)
})

test('a chunked 200 costs the connection even when the body is empty, a 204 does not', async t => {
  const { agent: chunked } = await sinkAndAgent(t, (_request, response) => {
    response.flushHeaders()
    response.end()
  })
  const { agent: noContent } = await sinkAndAgent(t, (_request, response) => response.writeHead(204).end())
  for (let i = 0; i < 5; i++) {
    await logMany(chunked, 1)
    await chunked.settled()
    await logMany(noContent, 1)
    await noContent.settled()
  }
  assert.equal(chunked.connectionsOpened, 5)
  assert.equal(noContent.connectionsOpened, 1)
})

test('Connection: close is obeyed', async t => {
  const { agent } = await sinkAndAgent(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 0, Connection: 'close' }).end()
  })
  for (let i = 0; i < 3; i++) {
    await logMany(agent, 1)
    await agent.settled()
  }
  assert.equal(agent.connectionsOpened, 3)
  assert.equal(agent.errors, 0)
})

test('two idle connections are kept, and those not for ever', async t => {
  const { agent } = await sinkAndAgent(t, (...args) => setTimeout(() => empty200(...args), 20), {
    idleConnectionTimeoutMs: 60
  })
  await logMany(agent, 5)
  await agent.settled()
  assert.equal(agent.connectionsOpened, 5)
  assert.equal(agent.idleConnections, 2)
  await until(() => agent.idleConnections === 0)
  assert.equal(agent.idleConnections, 0)
})

test('five requests are in flight at most, and no more than one per connection', async t => {
  let inFlight = 0
  let peak = 0
  const { agent } = await sinkAndAgent(t, (...args) => {
    peak = Math.max(peak, ++inFlight)
    setTimeout(() => {
      inFlight--
      empty200(...args)
    }, 5)
  })
  await logMany(agent, 40)
  await agent.settled()
  assert.equal(peak, 5)
})

test('with a slow sink the pending events grow without bound', async t => {
  const held: (() => void)[] = []
  const { agent } = await sinkAndAgent(t, (...args) => held.push(() => empty200(...args)))
  await logMany(agent, 1000)
  await until(() => held.length === 5 && agent.pending === 995)
  assert.equal(held.length, 5)
  assert.equal(agent.pending, 995)
  agent.close()
  assert.deepEqual(agent.lost, { queued: 0, pending: 995, inFlight: 5 })
  assert.ok(agent.pendingPeak >= 995)
})

test('the 101st event of a moment waits for room in the channel', async t => {
  const { agent } = await sinkAndAgent(t, empty200)
  let entered = 0
  const logs = Array.from({ length: 150 }, () => agent.log({ type: 'request' }).then(() => entered++))
  await Promise.resolve().then(() => {})
  assert.equal(entered, 100)
  await Promise.all(logs)
  await agent.settled()
  assert.equal(agent.sent, 150)
})

test('every HTTP answer counts as sent and only 200 is not logged as a failure', async t => {
  const answers = [
    [200, ''],
    [500, 'boom'],
    [429, ''],
    [202, '']
  ] as const
  const lines: string[] = []
  let nth = 0
  const { agent } = await sinkAndAgent(
    t,
    (_request, response) => {
      const [status, body] = answers[nth++] ?? [200, '']
      response.writeHead(status, { 'Content-Length': body.length, 'Retry-After': '1' }).end(body)
    },
    { workers: 1, onLogLine: line => lines.push(line) }
  )
  await logMany(agent, answers.length)
  await agent.settled()
  assert.equal(nth, answers.length, 'nothing is retried')
  assert.equal(agent.sent, 4)
  assert.deepEqual(lines, [
    'Sent with status code 500, error: boom',
    'Sent with status code 429, error: ',
    'Sent with status code 202, error: '
  ])
  // the body of an answer that is not 2xx is read for the log line, which saves the connection
  assert.equal(agent.connectionsOpened, 1)
})

test('an unreachable sink costs the event and one line', async t => {
  const { server, sink, agent: other } = await sinkAndAgent(t, empty200)
  other.close()
  await new Promise(resolve => server.close(resolve))
  const lines: string[] = []
  const agent = new KServeAgent({ sink, onLogLine: line => lines.push(line) })
  t.after(() => agent.close())
  await logMany(agent, 3)
  await agent.settled()
  assert.equal(agent.errors, 3)
  assert.equal(agent.sent, 0)
  assert.match(lines[0] ?? '', /^Failed to send cloud event, url: .*ECONNREFUSED/)
})

test('a connection that the sink closed while idle is replaced without losing an event', async t => {
  const server = rawServer(socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    setTimeout(() => socket.end(), 10)
  })
  const agent = new KServeAgent({ sink: await listen(t, server) })
  t.after(() => agent.close())
  for (let i = 0; i < 3; i++) {
    await logMany(agent, 1)
    await agent.settled()
    await sleep(40)
  }
  assert.equal(agent.sent, 3)
  assert.equal(agent.connectionsOpened, 3)
})

test('a connection that dies after the request was written costs the event: Go does not repeat a POST', async t => {
  for (const dieAt of [1, 2]) {
    const server = rawServer((socket, nthOfConnection) => {
      if (nthOfConnection === dieAt) socket.resetAndDestroy()
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    const agent = new KServeAgent({ sink: await listen(t, server) })
    t.after(() => agent.close())
    for (let i = 0; i < dieAt; i++) {
      await logMany(agent, 1)
      await agent.settled()
    }
    assert.equal(agent.errors, 1)
    assert.equal(agent.sent, dieAt - 1)
    assert.equal(agent.retries, 0)
  }
})

test('a sink that never answers holds a worker for ever', async t => {
  let answered = 0
  const { agent } = await sinkAndAgent(t, (request, response) => {
    if (answered++ >= 4) empty200(request, response)
  })
  await logMany(agent, 20)
  await until(() => agent.sent === 16)
  assert.equal(agent.sent, 16, 'the one worker left does all the rest')
  agent.close()
  assert.equal(agent.lost.inFlight, 4)
})

test('request and response share their id and, by the seed, the response may come first', async t => {
  const order = async (overtake: number, seed: number) => {
    const seen: string[] = []
    const ids = new Map<string, number>()
    const { agent } = await sinkAndAgent(
      t,
      (request, response) => {
        const id = request.headers['ce-id'] as string
        if (!ids.has(id)) seen.push((request.headers['ce-type'] as string).endsWith('response') ? 'R' : 'q')
        ids.set(id, (ids.get(id) ?? 0) + 1)
        empty200(request, response)
      },
      { overtake, seed }
    )
    for (let i = 0; i < 12; i++) {
      await agent.logInference({ body: 'a' }, { body: 'b' })
      await agent.settled()
    }
    assert.deepEqual([...ids.values()], Array<number>(12).fill(2))
    return seen.join('')
  }
  assert.equal(await order(0, 1), 'q'.repeat(12))
  assert.equal(await order(1, 1), 'R'.repeat(12))
  const mixed = await order(0.5, 7)
  assert.match(mixed, /q.*R|R.*q/)
  assert.equal(await order(0.5, 7), mixed)
})

test('a request without a response is sent although it was to be overtaken', async t => {
  const { agent } = await sinkAndAgent(t, empty200, { overtake: 1, overtakeWithinMs: 20 })
  await logMany(agent, 1)
  await agent.settled()
  assert.equal(agent.sent, 1)
})

test('after SIGTERM it goes on for a quiet period and leaves its queue behind', async t => {
  const { agent } = await sinkAndAgent(t, (...args) => setTimeout(() => empty200(...args), 30))
  await logMany(agent, 10)
  const started = Date.now()
  const drained = agent.drain(150)
  await sleep(100)
  await logMany(agent, 100)
  const lost = await drained
  assert.ok(Date.now() - started >= 245, 'a new event starts the quiet period again')
  assert.ok(agent.sent > 10, 'it kept sending')
  assert.equal(agent.sent + lost.queued + lost.pending + lost.inFlight, 110)
  assert.ok(lost.pending > 0)
  assert.equal(lost.inFlight, 5)
  await agent.log({ type: 'request' })
  assert.equal(agent.lost.queued, 1)
})
