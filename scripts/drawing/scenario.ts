import { setTimeout as sleep } from 'node:timers/promises'
import { sendRaw } from '../../test/support/events.ts'
import { KafkaCluster } from '../../test/support/kafka/index.ts'
import type { PodPlan } from '../../test/support/prometheus/logger-pod.ts'
import { Stage } from '../../test/support/prometheus/stage.ts'
import { realReview } from '../../test/webhook/server/client.ts'

/** What the picture says about it. */
export const story =
  'Four InferenceServices and a gateway; Kafka away for a while; resnet’s small journal runs full; iris-predictor-1 killed and restarted; a few of chat’s events larger than its topic takes.'

const pods: readonly PodPlan[] = [
  { namespace: 'fraud', pod: 'iris-predictor-0', inferenceService: 'iris' },
  { namespace: 'fraud', pod: 'iris-predictor-1', inferenceService: 'iris' },
  {
    namespace: 'fraud',
    pod: 'cards-predictor-0',
    inferenceService: 'cards',
    env: { INFERENCE_LOGGER_DURABILITY: 'fsync' }
  },
  {
    namespace: 'vision',
    pod: 'resnet-predictor-0',
    inferenceService: 'resnet',
    env: { INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '24Mi', INFERENCE_LOGGER_MAX_EVENT_BYTES: '1Mi' }
  },
  { namespace: 'llm', pod: 'chat-predictor-0', inferenceService: 'chat' },
  { namespace: 'logging', pod: 'inference-logger-gateway-0' }
]

/** Requests a second and bytes of an event, by pod. */
const traffic: Readonly<Record<string, readonly [requests: number, bytes: number]>> = {
  'iris-predictor-0': [40, 250],
  'iris-predictor-1': [36, 250],
  'cards-predictor-0': [18, 400],
  'resnet-predictor-0': [28, 4000],
  'chat-predictor-0': [9, 1800],
  'inference-logger-gateway-0': [14, 300]
}
/** The swing of traffic over the whole time, as a share. */
const SWING = 0.3
const TICK_MS = 500

/** A story that has begun. */
export interface Played {
  readonly stage: Stage
  readonly close: () => Promise<void>
}

/** Plays the story with real processes and a real Kafka of three brokers. @param seconds how long it takes */
export async function play(seconds: number, scrapeIntervalMs: number): Promise<Played> {
  const kafka = await KafkaCluster.start({ brokers: 3 })
  const config = { 'max.message.bytes': '65536' }
  await kafka.createTopic('chat-inference-topic', { replication: 3, config })
  const stage = await Stage.start({
    brokers: kafka.bootstrap,
    pods,
    scrapeIntervalMs,
    webhooks: 2,
    certificateDays: 90
  })
  const close = async (): Promise<void> => {
    await stage.close()
    await kafka.close()
  }
  try {
    await perform(kafka, stage, seconds)
    return { stage, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function perform(kafka: KafkaCluster, stage: Stage, seconds: number): Promise<void> {
  for (const [pod, [, bytes]] of Object.entries(traffic)) stage.pod(pod).bytes = bytes
  const begin = performance.now()
  const cues: { readonly at: number; readonly play: () => Promise<void> }[] = [
    { at: 0.06, play: () => rollOut(stage, 6) },
    { at: 0.14, play: () => stage.restart('iris-predictor-1') },
    { at: 0.22, play: async () => void (await Promise.all([0, 1, 2].map(id => kafka.kill(id)))) },
    { at: 0.36, play: () => kafka.startAll() },
    { at: 0.46, play: () => tooLarge(stage) },
    { at: 0.6, play: () => rollOut(stage, 10) },
    { at: 0.74, play: () => misdirected(stage) },
    { at: 0.86, play: () => rollOut(stage, 4) }
  ]
  const acting: Promise<void>[] = []
  for (let now = 0; now < 1; now = (performance.now() - begin) / 1000 / seconds) {
    for (const [pod, [requests]] of Object.entries(traffic)) {
      const phase = pod.length
      stage.pod(pod).requestsPerSecond =
        requests * (1 + SWING * Math.sin(now * 5 + phase) + 0.06 * Math.sin(now * 90 + phase))
    }
    while (cues[0] !== undefined && cues[0].at <= now) acting.push(cues.shift()?.play() ?? Promise.resolve())
    await sleep(TICK_MS)
  }
  await Promise.all(acting)
}

/** A conversation that its topic does not take. */
async function tooLarge(stage: Stage): Promise<void> {
  const chat = stage.pod('chat-predictor-0')
  const { bytes } = chat
  chat.bytes = 100_000
  await sleep(1200)
  chat.bytes = bytes
}

/** Somebody posts what is no event. */
async function misdirected(stage: Stage): Promise<void> {
  const { url } = stage.pod('iris-predictor-0').process
  const request = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}'
  for (let i = 0; i < 4; i++) await sendRaw(url, Buffer.from(request))
}

/** New pods, as the API server asks about them: most are injected, some not, one is wrong. */
async function rollOut(stage: Stage, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const client = stage.webhooks[i % stage.webhooks.length]?.client
    await client?.review(reviewWith({}))
    if (i % 3 === 1) await client?.review(reviewWith({ 'inference-logger.io/inject': 'false' }))
    if (i === 7) await client?.review(reviewWith({ 'inference-logger.io/durability': 'for-ever' }))
    await sleep(1500)
  }
}

function reviewWith(annotations: Record<string, string>): object {
  const review = realReview()
  const { metadata } = review.request.object
  metadata['annotations'] = { ...(metadata['annotations'] as object), ...annotations }
  return review
}
