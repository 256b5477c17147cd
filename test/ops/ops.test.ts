import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { OpsServer } from '../../sidecar/ops/server.ts'
import { NOBODY, RunningSidecar, temporaryFolder } from '../metrics/running-sidecar.ts'
import { EventSender, makeEvents } from '../support/events.ts'

test('healthy and ready as soon as it runs, with Kafka away, and whatever waits', async t => {
  const sidecar = await RunningSidecar.start(t, {
    KAFKA_BROKERS: NOBODY,
    INFERENCE_LOGGER_DURABILITY: 'memory',
    INFERENCE_LOGGER_MEMORY_MAX_BYTES: '20Ki'
  })
  const sender = new EventSender(sidecar.url)
  t.after(() => sender.close())
  const { refused } = await sender.sendAll(makeEvents(50))
  assert.ok(refused.size > 0, 'the queue is full')
  assert.deepEqual([(await sidecar.get('/healthz')).status, (await sidecar.get('/readyz')).status], [200, 200])
})

test('draining it is healthy and not ready', async t => {
  const sidecar = await RunningSidecar.start(t, {
    KAFKA_BROKERS: NOBODY,
    INFERENCE_LOGGER_DRAIN_IDLE: '400ms',
    INFERENCE_LOGGER_GRACE_PERIOD: '900ms'
  })
  const stopped = sidecar.sidecar.stop()
  assert.equal((await sidecar.get('/healthz')).status, 200)
  const ready = await sidecar.get('/readyz')
  assert.equal(ready.status, 503)
  assert.match(ready.body, /stopping/)
  assert.equal((await sidecar.status())['state'], 'draining')
  assert.equal((await stopped).undelivered, 0)
  await assert.rejects(sidecar.get('/healthz'))
})

test('only GET and HEAD, and only what is there', async t => {
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY })
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const response = await sidecar.get('/metrics', method)
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'GET, HEAD')
  }
  const missing = await sidecar.get('/')
  assert.equal(missing.status, 404)
  for (const path of ['/metrics', '/status', '/healthz', '/readyz']) {
    assert.match(missing.body, new RegExp(path))
    assert.equal((await sidecar.get(`${path}?x=1`)).status, 200)
    const head = await sidecar.get(path, 'HEAD')
    assert.deepEqual([head.status, head.body], [200, ''])
    assert.ok(Number(head.headers.get('content-length')) > 0)
  }
})

test('/status shows the configuration without secrets, the counters, the topics and the last error', async t => {
  const sidecar = await RunningSidecar.start(t, {
    KAFKA_BROKERS: NOBODY,
    KAFKA_CONFIG_SASL_PASSWORD: 'hunter2',
    KAFKA_CONFIG_SASL_USERNAME: 'a-user',
    KAFKA_CONFIG_SSL_KEY_PEM: 'hunter2',
    INFERENCE_LOGGER_DURABILITY: 'memory',
    INFERENCE_LOGGER_MEMORY_MAX_BYTES: '20Ki'
  })
  const sender = new EventSender(sidecar.url)
  t.after(() => sender.close())
  const { accepted } = await sender.sendAll(makeEvents(50))
  const { body, headers } = await sidecar.get('/status')
  assert.equal(headers.get('content-type'), 'application/json')
  assert.doesNotMatch(body, /hunter2/)
  assert.doesNotMatch(sidecar.log.join(''), /hunter2/)
  const status = JSON.parse(body) as {
    state: string
    listen: string[]
    events: Record<string, unknown>
    journal: unknown
    deadLetters: Record<string, unknown>
    kafka: { topics: unknown[] }
    lastError: { message: string }
    configuration: { topic: string; memoryMaxBytes: number; kafka: Record<string, string> }
  }
  assert.equal(status.state, 'running')
  assert.equal(`http://${status.listen[0]}`, sidecar.url)
  assert.deepEqual(status.events['received'], { request: accepted.size, response: 0, other: 0 })
  assert.equal(status.events['pending'], accepted.size)
  assert.equal(status.journal, null)
  assert.deepEqual([status.deadLetters['bytes'], status.deadLetters['limitBytes']], [0, 64 * 1024 * 1024])
  assert.equal(status.kafka.topics.length, 1)
  assert.match(status.lastError.message, /queue is full|Kafka/)
  assert.equal(status.configuration.topic, 'events')
  assert.equal(status.configuration.memoryMaxBytes, 20 * 1024)
  assert.deepEqual(status.configuration.kafka, {
    'sasl.password': '********',
    'sasl.username': 'a-user',
    'ssl.key.pem': '********'
  })
})

test('/status shows the journal: where it is, how full, and nothing that is wrong while nothing is', async t => {
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY })
  const sender = new EventSender(sidecar.url)
  t.after(() => sender.close())
  await sender.sendAll(makeEvents(20))
  const { journal, configuration, events } = (await sidecar.status()) as Record<string, Record<string, unknown>>
  assert.deepEqual(
    { ...journal, bytes: Number(journal?.['bytes']) > 5000, longestCommitSeconds: undefined },
    {
      directory: configuration?.['journalDir'],
      bytes: true,
      limitBytes: 256 * 1024 * 1024,
      segments: 1,
      failing: null,
      longestCommitSeconds: undefined,
      errors: {},
      quarantined: { record: 0, segment: 0 },
      bypassed: 0
    }
  )
  assert.equal(events?.['pending'], 20)
})

test('/status says why a journal does not work, and since when', async t => {
  const directory = join(temporaryFolder(t), 'journal')
  writeFileSync(directory, '')
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY, INFERENCE_LOGGER_JOURNAL_DIR: directory })
  const { journal } = (await sidecar.status()) as { journal: { failing: Record<string, string> } }
  assert.match(journal.failing['message'] ?? '', /EEXIST|ENOTDIR/)
  assert.equal(journal.failing['during'], 'open')
  assert.ok(Math.abs(Date.parse(journal.failing['since'] ?? '') - Date.now()) < 10_000)
  assert.equal((await sidecar.get('/readyz')).status, 200)
  assert.match(await sidecar.scrape(), /^inference_logger_journal_failing 1$/m)
})

test('metrics that fail are a 500, and the server goes on', async t => {
  let broken = true
  const server = new OpsServer(
    { host: '127.0.0.1', port: 0 },
    {
      metrics: () => (broken ? Promise.reject(new Error('no numbers')) : Promise.resolve('fine\n')),
      status: () => ({}),
      ready: () => true
    }
  )
  const url = `http://${await server.start()}/metrics`
  t.after(() => server.stop())
  assert.equal((await fetch(url)).status, 500)
  broken = false
  assert.equal(await (await fetch(url)).text(), 'fine\n')
})

test('a port in use names the variable to change, and a start that fails lets go of what it had', async t => {
  const first = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY })
  const [listen, ops] = [new URL(first.url).host, new URL(first.ops).host]
  await assert.rejects(
    RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY, INFERENCE_LOGGER_OPS_LISTEN: ops }),
    /port is in use; .*INFERENCE_LOGGER_OPS_LISTEN/
  )
  await first.sidecar.stop()
  const second = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY, INFERENCE_LOGGER_LISTEN: listen })
  await assert.rejects(
    RunningSidecar.start(t, {
      KAFKA_BROKERS: NOBODY,
      INFERENCE_LOGGER_LISTEN: listen,
      INFERENCE_LOGGER_OPS_LISTEN: ops
    }),
    /port is in use; .*INFERENCE_LOGGER_LISTEN/
  )
  assert.ok(second.url.endsWith(listen))
  const third = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY, INFERENCE_LOGGER_OPS_LISTEN: ops })
  assert.ok(third.ops.endsWith(ops), 'the operations port of the one that failed is free')
})
