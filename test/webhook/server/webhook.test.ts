import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { SettingsError } from '../../../webhook/settings/errors.ts'
import { realReview, type AdmissionClient } from './client.ts'
import { until } from './harness.ts'
import { authority, RunningWebhook, SETTINGS } from './running-webhook.ts'

const NOW = Date.now()

/** Names of the certificate that new handshakes get. */
async function servedNames(t: TestContext, address: string): Promise<string | undefined> {
  const socket = connect({ port: Number(address.split(':')[1]), host: '127.0.0.1', rejectUnauthorized: false })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  const { subjectaltname } = socket.getPeerCertificate()
  socket.destroy()
  return subjectaltname
}

/** Admissions one after the other until it is told to end. */
async function load(client: AdmissionClient, goesOn: () => boolean, headers = {}): Promise<number> {
  const review = realReview()
  let answered = 0
  while (goesOn()) {
    assert.equal((await client.review(review, { headers })).allowed, true)
    answered++
  }
  return answered
}

describe('the webhook', () => {
  test('injects the sidecar into a real pod, as the settings say', async t => {
    const running = await RunningWebhook.start(t)
    const response = await running.client(t).review(realReview())
    const patch = Buffer.from(response.patch ?? '', 'base64').toString()
    assert.match(patch, /"image":"example\/inference-logger:1"/)
    assert.deepEqual(response.auditAnnotations, { result: 'inject', reasons: 'loopback_sink' })
    assert.equal(await running.metric('requests_total{result="inject",reason="loopback_sink"}'), 1)
    assert.equal(await running.metric('request_duration_seconds_count'), 1)
    assert.equal(await running.metric('requests_in_flight'), 0)
    assert.match((await running.get('/metrics')).body, /build_info\{version="\d[^"]*",node="\d[^"]*"\} 1/)
  })

  test('logs one line a decision, with everything but the pod', async t => {
    const running = await RunningWebhook.start(t)
    const client = running.client(t)
    const injected = realReview()
    injected.request['dryRun'] = true
    const denied = realReview()
    denied.request.object.metadata['annotations'] = {
      'internal.serving.kserve.io/logger-sink-url': 'http://localhost:9480',
      'inference-logger.io/format': 'xml',
      'inference-logger.io/topic': 'hunter-topic'
    }
    const skipped = realReview()
    skipped.request.object = { ...skipped.request.object, metadata: { name: 'plain', labels: { app: 'hunter2' } } }
    for (const review of [injected, denied, skipped]) await client.review(review)
    const lines = running.log.filter(line => line['result'] !== undefined)
    const owner = 'ReplicaSet/logger-localhost-predictor-79654c448'
    const generateName = 'logger-localhost-predictor-79654c448-'
    assert.deepEqual(
      lines.map(({ time: _time, ms, ...line }) => ({ ...line, ms: typeof ms })),
      [
        {
          level: 'info',
          command: 'webhook',
          namespace: 'models',
          generateName,
          owner,
          result: 'inject',
          reasons: ['loopback_sink'],
          dryRun: true,
          msg: 'injected',
          ms: 'number'
        },
        {
          level: 'warn',
          command: 'webhook',
          namespace: 'models',
          generateName,
          owner,
          result: 'deny',
          reasons: ['invalid_annotation'],
          dryRun: false,
          message: lines[1]?.['message'],
          msg: 'denied',
          ms: 'number'
        },
        {
          level: 'info',
          command: 'webhook',
          namespace: 'models',
          name: 'plain',
          result: 'skip',
          reasons: lines[2]?.['reasons'],
          dryRun: false,
          msg: 'not injected',
          ms: 'number'
        }
      ]
    )
    // What is to be corrected, and it alone.
    assert.match(String(lines[1]?.['message']), /^inference-logger\.io\/format="xml" .*envelope/)
    assert.doesNotMatch(running.text.join(''), /hunter|logger-sink-url|storage-initializer|gs:|kserve-container|"spec"/)
  })

  test('logs refused requests without what was in them', async t => {
    const running = await RunningWebhook.start(t)
    const { status } = await running.client(t).send('{"hunter2')
    assert.equal(status, 400)
    assert.equal(await running.metric('requests_total{result="error",reason="bad_request"}'), 1)
    assert.match(running.text.join(''), /request refused: the body is no JSON/)
    assert.doesNotMatch(running.text.join(''), /hunter/)
  })

  test('counts what it allows without a look apart', async t => {
    const running = await RunningWebhook.start(t)
    const review = realReview()
    review.request['operation'] = 'UPDATE'
    await running.client(t).review(review)
    assert.equal(await running.metric('requests_total{result="skip",reason="other_operation"}'), 1)
  })
})

describe('an address that is taken', () => {
  for (const [option, setting] of [
    ['listen', '--listen (WEBHOOK_LISTEN)'],
    ['opsListen', '--ops-listen (WEBHOOK_OPS_LISTEN)']
  ] as const) {
    test(`is a failed start that names ${setting}`, async t => {
      const first = await RunningWebhook.start(t)
      const port = Number(first.webhook.listen.split(':')[1])
      await assert.rejects(RunningWebhook.start(t, { [option]: { host: '127.0.0.1', port } }), (error: Error) => {
        assert.ok(error.message.includes(`the port is in use; stop what holds it, or set ${setting}`), error.message)
        return true
      })
    })
  }
})

describe('its certificate', () => {
  test('may be missing at the start: it is healthy, not ready, says why, and handshakes fail until it is there', async t => {
    const running = await RunningWebhook.start(t, { certificate: undefined })
    const client = running.client(t)
    assert.deepEqual(await running.get('/readyz'), {
      status: 503,
      body: 'there is no certificate: tls.crt is missing\n'
    })
    assert.equal((await running.get('/healthz')).status, 200)
    assert.equal(await running.metric('certificate_expiry_timestamp_seconds'), 0)
    await assert.rejects(client.review(realReview()))
    const notAfter = new Date(Math.floor(NOW / 1000) * 1000 + 3600_000)
    running.files.writeCertificate(await authority.server(['localhost'], { notAfter }))
    await until('ready', async () => (await running.get('/readyz')).status === 200)
    assert.equal((await client.review(realReview())).allowed, true)
    assert.equal(await running.metric('certificate_expiry_timestamp_seconds'), notAfter.getTime() / 1000)
    assert.equal(await running.metric('certificate_reloads_total{result="success"}'), 1)
    assert.equal(running.log.filter(({ msg }) => msg === 'ready').length, 1)
  })

  test('that has expired makes it unready, and says when', async t => {
    const certificate = await authority.server(['localhost'], { notAfter: new Date(NOW - 1000) })
    const running = await RunningWebhook.start(t, { certificate })
    const { status, body } = await running.get('/readyz')
    assert.equal(status, 503)
    assert.match(body, /^the certificate expired on \d{4}-/)
    assert.equal(
      running.log.some(({ msg }) => msg === 'ready'),
      false
    )
  })

  test('is swapped under load without a failed admission', async t => {
    const running = await RunningWebhook.start(t, { certificate: await authority.server(['localhost', 'swap-0']) })
    let swapping = true
    const clients = [1, 2, 3].map(() => running.client(t))
    const staying = clients.map(client => load(client, () => swapping))
    const reconnecting = load(running.client(t), () => swapping, { Connection: 'close' })
    for (let i = 1; i <= 4; i++) {
      running.files.writeCertificate(await authority.server(['localhost', `swap-${i}`]))
      await until('swapped', async () => (await servedNames(t, running.webhook.listen))?.includes(`swap-${i}`) === true)
    }
    swapping = false
    const counts = await Promise.all([...staying, reconnecting])
    assert.ok(
      counts.every(count => count > 5),
      counts.join()
    )
    assert.equal(await running.metric('certificate_reloads_total{result="failure"}'), 0)
  })
})

describe('its settings', () => {
  test('that are wrong at the start are an error with every mistake', async t => {
    await assert.rejects(RunningWebhook.start(t, { settings: 'imagge: x\nkafka: {}\n' }), (error: unknown) => {
      assert.ok(error instanceof SettingsError)
      assert.ok(error.mistakes.length >= 2, error.message)
      return true
    })
  })

  test('are those of the file as it is now', async t => {
    const running = await RunningWebhook.start(t)
    const client = running.client(t)
    running.files.writeSettings(SETTINGS.replace('logger:1', 'logger:2'))
    await until('reloaded', async () => (await running.metric('settings_reloads_total{result="success"}')) === 1)
    const { patch } = await client.review(realReview())
    assert.match(Buffer.from(patch ?? '', 'base64').toString(), /example\/inference-logger:2/)
  })

  test('stay when the new ones are wrong, which is logged with every mistake and in the metrics', async t => {
    const running = await RunningWebhook.start(t)
    running.files.writeSettings('imagge: x\nport: 70000\n')
    await until('refused', async () => (await running.metric('settings_reloads_total{result="failure"}')) === 1)
    assert.equal(await running.metric('settings_last_reload_successful'), 0)
    const errors = running.log.filter(({ level }) => level === 'error').map(({ msg }) => msg)
    for (const setting of ['image', 'imagge', 'port', 'kafka']) {
      assert.ok(
        errors.some(msg => msg.startsWith(`the old settings stay: ${setting}`)),
        `${setting} in ${errors.join()}`
      )
    }
    const { patch } = await running.client(t).review(realReview())
    assert.match(Buffer.from(patch ?? '', 'base64').toString(), /example\/inference-logger:1/)
    assert.equal((await running.get('/readyz')).status, 200)
    running.files.writeSettings(SETTINGS.replace('logger:1', 'logger:3'))
    await until('right again', async () => (await running.metric('settings_last_reload_successful')) === 1)
  })
})

describe('its end', () => {
  test('begins with being unready, and goes on serving for the drain', async t => {
    const running = await RunningWebhook.start(t, { drainMs: 300 })
    const client = running.client(t)
    const start = performance.now()
    const stopped = running.webhook.stop()
    assert.deepEqual(await running.get('/readyz'), { status: 503, body: 'stopping\n' })
    assert.equal((await running.get('/healthz')).status, 200)
    await sleep(100)
    const { status, headers } = await client.send(JSON.stringify(realReview()))
    assert.deepEqual([status, headers['connection']], [200, 'close'])
    await stopped
    assert.ok(performance.now() - start >= 290)
    await assert.rejects(running.get('/healthz'))
  })
})
