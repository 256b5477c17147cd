import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliProcess, type LogLine } from '../cli/cli-process.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { EventSender, makeEvents } from '../support/events.ts'

/** Sends events, all of which must be accepted. */
async function send(process: CliProcess, count: number, first = 0): Promise<void> {
  const sender = new EventSender(process.url)
  try {
    assert.equal((await sender.sendAll(makeEvents(count, { first }))).accepted.size, count)
  } finally {
    sender.close()
  }
}

const warnings = (log: readonly LogLine[]): string[] =>
  log.filter(({ level }) => /^(?:warn|error|fatal)$/.test(level)).map(line => JSON.stringify(line))

describe('a process', { concurrency: 2 }, () => {
  test('is ready soon after its start, Kafka or not', async t => {
    const sidecar = await CliProcess.start(t)
    t.diagnostic(`ready ${Math.round(sidecar.readyAfterMs)} ms after the spawn`)
    // 300 ms on a machine that does nothing else; tests share theirs.
    assert.ok(sidecar.readyAfterMs < 2000, `${sidecar.readyAfterMs} ms`)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} delivers what is pending, events sent after it included, and exits with 0`, async t => {
      const cluster = await MockCluster.start(t)
      const sidecar = await CliProcess.start(t, {
        KAFKA_BROKERS: cluster.brokers,
        INFERENCE_LOGGER_DRAIN_IDLE: '400ms',
        INFERENCE_LOGGER_GRACE_PERIOD: '20s',
        // Holds records back, so that there is something pending when the signal comes.
        KAFKA_CONFIG_LINGER_MS: '300'
      })
      await send(sidecar, 100)
      sidecar.signal(signal)
      await sidecar.logged(({ msg }) => msg.startsWith('stopping'))
      await send(sidecar, 50, 100)
      const { code, stderr } = await sidecar.ended
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(sidecar.log.at(-1)?.msg ?? '', /everything accepted was delivered/)
      assert.deepEqual(warnings(sidecar.log), [])
      const records = await cluster.consume('events', 150)
      assert.equal(new Set(records.map(({ key }) => String(key))).size, 150)
    })
  }

  test('SIGTERM with Kafka away exits with 1 at the grace period and says how many events are lost', async t => {
    const sidecar = await CliProcess.start(t, { INFERENCE_LOGGER_GRACE_PERIOD: '1s' })
    await send(sidecar, 37)
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    const { code, stderr } = await sidecar.ended
    const took = performance.now() - signalled
    assert.deepEqual([code, stderr], [1, ''])
    assert.ok(took >= 900 && took < 4000, `${took} ms`)
    const lost = sidecar.log.filter(line => line['undelivered'] !== undefined)
    assert.equal(lost.length, 1)
    assert.deepEqual([lost[0]?.level, lost[0]?.['undelivered']], ['error', 37])
    assert.match(lost[0]?.msg ?? '', /\b37 accepted events/)
  })

  test('SIGTERM with nothing pending exits with 0 soon, Kafka or not', async t => {
    const sidecar = await CliProcess.start(t, { INFERENCE_LOGGER_GRACE_PERIOD: '20s' })
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    assert.equal((await sidecar.ended).code, 0)
    assert.ok(performance.now() - signalled < 4000)
  })

  test('a second signal exits at once, and not with 0', async t => {
    const sidecar = await CliProcess.start(t, {
      INFERENCE_LOGGER_GRACE_PERIOD: '60s',
      INFERENCE_LOGGER_DRAIN_IDLE: '60s'
    })
    await send(sidecar, 5)
    sidecar.signal('SIGTERM')
    await sidecar.logged(({ msg }) => msg.startsWith('stopping'))
    const signalled = performance.now()
    sidecar.signal('SIGTERM')
    assert.notEqual((await sidecar.ended).code, 0)
    const took = performance.now() - signalled
    assert.ok(took < 3000, `${took} ms`)
    assert.match(sidecar.log.at(-1)?.msg ?? '', /second signal/)
  })

  test('no payload, no secret and no fault is in its log, at level trace, whatever it is sent', async t => {
    const cluster = await MockCluster.start(t)
    const sidecar = await CliProcess.start(t, {
      KAFKA_BROKERS: `${cluster.brokers},127.0.0.1:1`,
      INFERENCE_LOGGER_LOG_LEVEL: 'trace',
      INFERENCE_LOGGER_MAX_EVENT_BYTES: '20Ki',
      INFERENCE_LOGGER_GRACE_PERIOD: '10s',
      KAFKA_CONFIG_SASL_PASSWORD: 'hunter2',
      KAFKA_CONFIG_SSL_KEY_PASSWORD: 'hunter2'
    })
    const post = async (headers: Record<string, string>, body: string, method = 'POST'): Promise<number> =>
      (await fetch(sidecar.url, { method, headers, ...(method === 'GET' ? {} : { body }) })).status
    const [event] = makeEvents(1)
    assert.ok(event)
    const { headers } = event
    assert.equal(await post(headers, '{"card":"payload-4111"}'), 200)
    assert.equal(await post({ ...headers, 'ce-metadata': 'payload-4111' }, 'not json payload-4111'), 200)
    assert.equal(await post({}, 'payload-4111'), 400)
    assert.equal(await post({ 'content-type': 'application/cloudevents+json' }, '{"payload-4111'), 400)
    assert.equal(await post({ ...headers, 'ce-specversion': 'payload-4111' }, ''), 400)
    assert.equal(await post(headers, 'payload-4111'.repeat(10_000)), 413)
    assert.equal(await post(headers, '', 'GET'), 405)
    await sleep(200)
    sidecar.signal('SIGTERM')
    const { code, stdout, stderr } = await sidecar.ended
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.doesNotMatch(stdout, /payload-4111|hunter2|unhandled|TypeError|at \w+ \(/)
    assert.ok(
      sidecar.log.some(({ msg }) => /rejected/.test(msg)),
      'that something was rejected is told'
    )
  })
})
