import { fileURLToPath } from 'node:url'
import { startUntilReady } from './child.ts'

/** The Kafka of a bench run. */
export interface BenchKafka {
  /** What it is, for the report. */
  name: string
  brokers: string
  createTopics: boolean
  stop(): Promise<void>
}

/**
 * Takes the brokers given, or starts some.
 *
 * @param kind `mock`: librdkafka's mock cluster in a process of its own; `real`: a broker as the tests start it
 * @throws Error when it cannot be started
 */
export async function openBenchKafka(kind: string, brokers: string | undefined): Promise<BenchKafka> {
  if (brokers !== undefined) return { name: brokers, brokers, createTopics: true, stop: async () => {} }
  if (kind === 'real') {
    const { KafkaCluster } = await import('../test/support/kafka/index.ts')
    const cluster = await KafkaCluster.start()
    await cluster.createTopic('bench-inference-topic')
    const stop = () => cluster.close()
    return { name: 'a Kafka broker of its own', brokers: cluster.bootstrap, createTopics: true, stop }
  }
  const path = fileURLToPath(new URL('./sinks/mock-kafka.js', import.meta.url))
  const { child, ready } = await startUntilReady(process.execPath, [path], {})
  const stop = () => child.stop()
  return { name: "librdkafka's mock cluster", brokers: ready.brokers ?? '', createTopics: false, stop }
}
