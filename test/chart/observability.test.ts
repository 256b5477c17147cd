import assert from 'node:assert/strict'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sendRaw } from '../support/events.ts'
import { KafkaCluster, missingKafkaTools } from '../support/kafka/index.ts'
import { interpolate, readDashboard, readRules, selectorsIn } from '../support/prometheus/dashboard.ts'
import type { PodPlan } from '../support/prometheus/logger-pod.ts'
import type { Series } from '../support/prometheus/prometheus.ts'
import { Stage, webhookSettings } from '../support/prometheus/stage.ts'
import { missingPrometheusTools } from '../support/prometheus/tools.ts'
import { realReview, type Review } from '../webhook/server/client.ts'

const NO_KAFKA = { KAFKA_BROKERS: '127.0.0.1:1' }
/** An event of 200 bytes takes some 600 in the journal. */
const SMALL = { INFERENCE_LOGGER_MAX_EVENT_BYTES: '4Ki', INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '64Ki' }
const SMALL_LETTERS = { INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES: '16Ki' }

/** One pod for everything that may happen to one. */
const pods: readonly PodPlan[] = [
  {
    namespace: 'fraud',
    pod: 'iris-predictor-0',
    inferenceService: 'iris',
    env: { INFERENCE_LOGGER_DURABILITY: 'fsync' }
  },
  { namespace: 'fraud', pod: 'iris-predictor-1', inferenceService: 'iris' },
  // Refuses; is restarted over a damaged journal.
  { namespace: 'vision', pod: 'resnet-predictor-0', inferenceService: 'resnet', env: { ...NO_KAFKA, ...SMALL } },
  {
    namespace: 'vision',
    pod: 'tagger-predictor-0',
    inferenceService: 'tagger',
    env: { ...NO_KAFKA, ...SMALL, INFERENCE_LOGGER_WHEN_FULL: 'drop-oldest' }
  },
  // Every event is larger than its topic takes.
  {
    namespace: 'llm',
    pod: 'chat-predictor-0',
    inferenceService: 'chat',
    env: {
      ...SMALL_LETTERS,
      INFERENCE_LOGGER_MAX_EVENT_BYTES: '4Ki',
      INFERENCE_LOGGER_DEAD_LETTER_TOPIC: 'dead-letters'
    }
  },
  // Its journal's directory is a file.
  { namespace: 'llm', pod: 'summary-predictor-0', inferenceService: 'summary' },
  {
    namespace: 'logging',
    pod: 'inference-logger-gateway-0',
    env: { INFERENCE_LOGGER_DURABILITY: 'memory' }
  }
]

/** Was admitted while the webhook was away. */
const missedPod = {
  namespace: 'fraud',
  pod: 'iris-predictor-2',
  containers: ['kserve-container', 'agent'],
  initContainers: [],
  restarts: 0
}
/** Logs elsewhere, and the webhook said so. */
const skippedPod = { ...missedPod, pod: 'elsewhere-predictor-0', status: '{"result":"skip"}' }

/** What cannot be made to happen here, in an expression and why. */
const cannotHappen: Readonly<Record<string, string>> = {
  'inference_logger_webhook_requests_total{result="error", reason!="bad_request"}':
    'a fault of the webhook, or far too many requests'
}
/** Alerts whose condition holds at the end, some of them since too short a time to fire. */
const holds = [
  'InferenceLoggerDropping',
  'InferenceLoggerRejecting',
  'InferenceLoggerUnacceptableRequests',
  'InferenceLoggerNotDelivering',
  'InferenceLoggerJournalAlmostFull',
  'InferenceLoggerJournalFailing',
  'InferenceLoggerJournalDamaged',
  'InferenceLoggerDeadLetters',
  'InferenceLoggerDeadLettersDiscarded',
  'InferenceLoggerRestarting',
  'InferenceLoggerWebhookDenying',
  // The tests' certificates are for a week.
  'InferenceLoggerWebhookCertificateExpiring',
  'InferenceLoggerWebhookSettingsRefused',
  'InferenceLoggerWebhookUnreachable',
  'InferenceLoggerAdmittedWithoutSidecar',
  'InferenceLoggerSidecarMissing'
]
/** Needs minutes of an outage, a target that is away, or a certificate that is over: their unit tests have that. */
const doesNotHold = [
  'InferenceLoggerDeliveryDelayed',
  'InferenceLoggerJournalFullSoon',
  'InferenceLoggerNotScraped',
  'InferenceLoggerWebhookDown',
  'InferenceLoggerWebhookFailing',
  'InferenceLoggerWebhookCertificateInvalid'
]

/** A Kafka of its own, whatever KAFKA_BROKERS says: topics get names that models have. */
const missing = [...missingPrometheusTools(), ...missingKafkaTools()]
const skip = process.env['CI'] !== 'true' && missing.length > 0 && `needs ${missing.join(', ')}`
const options = { rateInterval: '20s', range: '1m' }

describe('a real Prometheus that scrapes loggers and a webhook', { skip }, () => {
  let kafka: KafkaCluster
  let stage: Stage
  let end: Date

  before(
    async () => {
      kafka = await KafkaCluster.start()
      await kafka.createTopic('chat-inference-topic', { config: { 'max.message.bytes': '1000' } })
      stage = await Stage.start({
        brokers: kafka.bootstrap,
        pods,
        otherPods: [missedPod, skippedPod],
        scrapeIntervalMs: 1000
      })
      await play()
      end = new Date()
    },
    { timeout: 120_000 }
  )

  after(async () => {
    await stage?.close()
    await kafka?.close()
  })

  /** Everything that there is a panel or an alert for. */
  async function play(): Promise<void> {
    for (const { pod } of pods) stage.pod(pod).requestsPerSecond = 20
    stage.pod('chat-predictor-0').bytes = 2000
    await breakJournal('summary-predictor-0')
    const admissions = setInterval(() => void admit().catch(() => {}), 500)
    try {
      await sleep(10_000)
      await oddRequests('iris-predictor-0')
      stage.cluster.apiServer.failOpen = 3
      stage.cluster.apiServer.rejectedCalls = 2
      stage.cluster.apiServer.policyWarnings = 1
      await stage.restart('iris-predictor-1')
      await stage.restart('iris-predictor-1')
      await stage.restart('resnet-predictor-0', damageJournal)
      await stage.webhook.setSettings('image: 1\nkafak: {}\n')
      await sleep(12_000)
    } finally {
      clearInterval(admissions)
    }
  }

  async function admit(): Promise<void> {
    const { client } = stage.webhook
    const pod = (annotations: Record<string, string>): Review => {
      const review = realReview()
      const { metadata } = review.request.object
      metadata['annotations'] = { ...(metadata['annotations'] as object), ...annotations }
      return review
    }
    await client.review(pod({}))
    await client.review(pod({ 'inference-logger.io/inject': 'false' }))
    await client.review(pod({ 'inference-logger.io/durability': 'for-ever' }))
    await client.send('not an admission review')
  }

  /** No CloudEvent; one with an attribute that must not be a header. */
  async function oddRequests(name: string): Promise<void> {
    const { url } = stage.pod(name).process
    await sendRaw(url, Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}'))
    const odd = 'Ce-Id: odd\r\nCe-Source: /a\r\nCe-Specversion: 1.0\r\nCe-Type: a\r\nCe-Time: yesterday'
    const head = `${odd}\r\nCe-Inferenceservicename: iris\r\nHost: a\r\nContent-Length: 2`
    await sendRaw(url, Buffer.from(`POST / HTTP/1.1\r\n${head}\r\n\r\n{}`))
  }

  /** Puts a file in the place of the journal's directory, and starts the logger on it. */
  async function breakJournal(name: string): Promise<void> {
    const { folder } = stage.pod(name)
    await stage.pod(name).restart(async () => {
      await rename(folder, `${folder}.away`)
      await writeFile(folder, '')
    })
  }

  /** Changes bytes in the middle of what waits for Kafka. */
  async function damageJournal(): Promise<void> {
    const { folder } = stage.pod('resnet-predictor-0')
    for (const file of (await readdir(folder)).filter(each => each.endsWith('.journal'))) {
      const path = join(folder, file)
      const bytes = await readFile(path)
      if (bytes.length < 2000) continue
      bytes.fill(0xff, 1000, 1020)
      await writeFile(path, bytes)
    }
  }

  for (const panel of readDashboard().panels) {
    for (const { expr, refId, instant } of panel.targets ?? []) {
      test(`has data for “${panel.title}” ${refId}`, async () => {
        const expression = interpolate(expr, options)
        const answer = instant
          ? await stage.prometheus.query(expression, end)
          : await stage.prometheus.queryRange(expression, stage.startedAt, end, 1)
        if (selectorsIn(expr).some(selector => selector in cannotHappen) && answer.length === 0) return
        assert.ok(numbers(answer).some(Number.isFinite), `no number from ${expression}`)
      })
    }
  }

  test('finds the values of the dashboard’s variables', async () => {
    for (const { name, definition = '' } of readDashboard().templating.list) {
      const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? []
      if (selector === undefined || label === undefined) continue
      const values = (await stage.prometheus.series(interpolate(selector, options))).map(series => series[label])
      assert.ok(values.filter(value => value !== undefined).length >= 3, `${name}: ${values.join()}`)
    }
  })

  test('shows where a logger was restarted', async () => {
    const { expr = '' } = readDashboard().annotations.list.find(({ name }) => name === 'Restarts') ?? {}
    const answer = await stage.prometheus.queryRange(interpolate(expr, options), stage.startedAt, end, 1)
    const restarted = answer.map(({ labels }) => labels['pod'])
    assert.ok(restarted.includes('iris-predictor-1'), restarted.join())
    assert.ok(!restarted.includes('iris-predictor-0'), restarted.join())
  })

  for (const { alert, expr } of readRules()) {
    test(`has series for every selector of ${alert}`, async () => {
      for (const selector of selectorsIn(expr)) {
        if (selector in cannotHappen) continue
        assert.notEqual((await stage.prometheus.series(selector)).length, 0, selector)
      }
    })
  }

  test('evaluates every alert without an error, and those hold that should', async () => {
    const rules = await stage.prometheus.rules()
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`),
      []
    )
    const active = rules.filter(({ alerts }) => alerts.length > 0).map(({ name }) => name)
    assert.deepEqual(active.sort(), [...holds].sort())
    assert.deepEqual(rules.map(({ name }) => name).sort(), [...holds, ...doesNotHold].sort())
  })

  test('does not alert for pods that are well', async () => {
    const alerts = (await stage.prometheus.rules()).flatMap(({ name, alerts: all }) =>
      all.map(({ labels }) => `${name} ${labels['pod']}`)
    )
    assert.deepEqual(
      alerts.filter(alert => /gateway-0|elsewhere-predictor-0/.test(alert)),
      []
    )
  })

  test('counts the same over a restart: nothing is received twice', async () => {
    const received = 'sum(increase(inference_logger_events_received_total{pod="iris-predictor-1"}[2m]))'
    const seconds = (end.getTime() - stage.startedAt.getTime()) / 1000
    const [answer] = await stage.prometheus.query(received, end)
    const count = answer?.points[0]?.[1] ?? 0
    // 40 a second, less what came while it was away.
    assert.ok(count > 10 * 40 && count < seconds * 40 * 1.3, `${count} in ${seconds} s`)
  })

  test('finds no event that is unaccounted for, at any moment', async () => {
    const panel = readDashboard().panels.find(({ title }) => title === 'Unaccounted')
    const expression = interpolate(panel?.targets?.[0]?.expr ?? '', options)
    const answer = await stage.prometheus.queryRange(expression, stage.startedAt, end, 1)
    assert.ok(numbers(answer).length > 15)
    assert.deepEqual([...new Set(numbers(answer))], [0])
  })

  test('after which the settings that are right are in force again', async () => {
    await stage.webhook.setSettings(webhookSettings)
    const deadline = performance.now() + 10_000
    for (;;) {
      const [answer] = await stage.prometheus.query('inference_logger_webhook_settings_last_reload_successful')
      if (answer?.points[0]?.[1] === 1) return
      assert.ok(performance.now() < deadline, 'they are not')
      await sleep(200)
    }
  })
})

function numbers(answer: readonly Series[]): number[] {
  return answer.flatMap(({ points }) => points.map(([, value]) => value))
}
