import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { CliProcess } from '../../cli/cli-process.ts'
import { AdmissionClient, realReview } from './client.ts'
import { until } from './harness.ts'
import { authority, Files, SETTINGS } from './running-webhook.ts'

const certificate = await authority.server()

/** `inference-logger webhook` as a process, configured by its environment. */
class WebhookProcess {
  readonly process: CliProcess
  readonly files: Files

  constructor(t: TestContext, env: Readonly<Record<string, string>> = {}, settings = SETTINGS) {
    this.files = new Files(t, settings)
    this.files.writeCertificate(certificate)
    this.process = new CliProcess(t, ['webhook'], {
      WEBHOOK_SETTINGS: this.files.settings,
      WEBHOOK_CERTIFICATES: this.files.certificates,
      WEBHOOK_LISTEN: '127.0.0.1:0',
      WEBHOOK_OPS_LISTEN: '127.0.0.1:0',
      WEBHOOK_DRAIN: '0s',
      ...env
    })
  }

  /** Where it listens, once it is ready. */
  async ready(): Promise<{ listen: string; ops: string }> {
    const { listen, ops } = await this.process.logged(({ msg }) => msg === 'ready')
    return { listen: String(listen), ops: String(ops) }
  }

  /** What it logged at level fatal, when it has ended. */
  async fatal(): Promise<{ code: number | null; messages: string[] }> {
    const { code, stderr } = await this.process.ended
    assert.equal(stderr, '')
    const messages = this.process.log.filter(({ level }) => level === 'fatal').map(({ msg }) => msg)
    return { code, messages }
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count)

/** What is mapped into the memory of the processes that have a text in their environment. */
function mapsOf(pattern: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('webhook')) return []
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(pattern)
          ? [readFileSync(`/proc/${pid}/maps`, 'utf8')]
          : []
      } catch {
        return []
      }
    })
}

describe('the process', { concurrency: 2 }, () => {
  test('SIGTERM under load: no admission fails, on connections that stay and on new ones, and it exits with 0', async t => {
    const webhook = new WebhookProcess(t, { WEBHOOK_DRAIN: '2s' })
    const { listen, ops } = await webhook.ready()
    const review = realReview()
    const answered = [0, 0, 0, 0, 0]
    let enough = answered.map(() => Infinity)
    let lastAt = Infinity
    const load = async (index: number): Promise<void> => {
      const client = new AdmissionClient(t, listen, authority.cert)
      const headers = index < 3 ? {} : { Connection: 'close' }
      while ((answered[index] ?? 0) < (enough[index] ?? 0) && performance.now() < lastAt) {
        assert.equal((await client.review(review, { headers })).allowed, true)
        answered[index] = (answered[index] ?? 0) + 1
      }
    }
    const loads = Promise.all(answered.map((_, index) => load(index)))
    await until('under load', () => Math.min(...answered) >= 5, 20_000)
    const before = sum(answered)
    webhook.process.signal('SIGTERM')
    // On a busy machine not many: what begins when the drain is over may fail.
    lastAt = performance.now() + 1000
    await until('unready', async () => (await fetch(`http://${ops}/readyz`)).status === 503)
    // An endpoint is removed a moment later. Then nobody sends anything more, while the drain lasts.
    enough = answered.map(count => count + 5)
    await loads
    assert.ok(sum(answered) > before)
    assert.equal((await webhook.process.ended).code, 0)
    const decisions = webhook.process.log.filter(({ result }) => result === 'inject').length
    assert.equal(decisions, sum(answered))
  })

  test('a second signal ends it at once, and not with 0', async t => {
    const webhook = new WebhookProcess(t, { WEBHOOK_DRAIN: '60s' })
    await webhook.ready()
    webhook.process.signal('SIGTERM')
    await webhook.process.logged(({ msg }) => msg.startsWith('stopping'))
    const start = performance.now()
    webhook.process.signal('SIGTERM')
    assert.notEqual((await webhook.process.ended).code, 0)
    assert.ok(performance.now() - start < 3000)
  })

  test('settings that are wrong are a fatal line each, and exit code 78', async t => {
    const { code, messages } = await new WebhookProcess(t, {}, 'port: 70000\nmetricsPort: none\n').fatal()
    assert.equal(code, 78)
    for (const setting of ['image', 'port', 'metricsPort', 'kafka']) {
      assert.ok(
        messages.some(message => message.startsWith(setting)),
        `${setting} in ${messages.join('\n')}`
      )
    }
  })

  test('a command line that is wrong is so too, with everything at once', async t => {
    const { code, messages } = await new WebhookProcess(t, {
      WEBHOOK_SETTINGS: '',
      WEBHOOK_CERTIFICATES: '',
      WEBHOOK_LISTEN: '8443',
      WEBHOOK_DRAIN: '5',
      WEBHOOK_EVENTS: 'true',
      WEBHOOK_LOG_LEVEL: 'loud'
    }).fatal()
    assert.equal(code, 78)
    // pino writes a fatal line at once, before what it is writing: the order is not ours.
    assert.deepEqual(messages.map(message => message.split(':', 1)[0]).sort(), [
      '--certificates (WEBHOOK_CERTIFICATES)',
      '--drain (WEBHOOK_DRAIN)',
      // Outside a pod there is no API server to send them to.
      '--events (WEBHOOK_EVENTS)',
      '--listen (WEBHOOK_LISTEN)',
      '--log-level (WEBHOOK_LOG_LEVEL)',
      '--settings (WEBHOOK_SETTINGS)'
    ])
  })

  test('does not load librdkafka unless the settings have properties of its', async t => {
    const mark = randomUUID()
    const plain = new WebhookProcess(t, { WEBHOOK_MARK: `${mark} plain` })
    const withProperties = new WebhookProcess(
      t,
      { WEBHOOK_MARK: `${mark} properties` },
      `${SETTINGS}  config:\n    client.id: models\n`
    )
    await Promise.all([plain.ready(), withProperties.ready()])
    const loaded = (which: string): boolean[] =>
      mapsOf(`WEBHOOK_MARK=${mark} ${which}\0`).map(maps => maps.includes('rdkafka'))
    assert.deepEqual(loaded('plain'), [false])
    assert.deepEqual(loaded('properties'), [true])
  })
})
