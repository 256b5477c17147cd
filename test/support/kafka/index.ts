import { KafkaCluster } from './cluster.ts'
import { Kafka } from './kafka.ts'
import { Probe } from './probe.ts'
import { kafkaTools, missingKafkaTools } from './tools.ts'

export { KafkaCluster, type ClusterOptions } from './cluster.ts'
export { headersDigest, Kafka, type NewRecord, type RecordFingerprint, type TopicOptions } from './kafka.ts'
export { freePorts } from './ports.ts'
export { type KafkaRecord, ProbeError, type TopicDescription } from './probe.ts'
export { missingKafkaTools, repositoryRoot } from './tools.ts'

const brokersOfTheUser = process.env['KAFKA_BROKERS'] || undefined

/**
 * For a test's or suite's `skip`: why it cannot run on this machine, or false. With CI=true nothing is skipped and a
 * missing tool is a failure.
 */
export const withoutKafka: string | false = reasonToSkip()

/** The same for tests that stop, kill or move brokers, which they do to none but their own. */
export const withoutOwnKafka: string | false =
  withoutKafka || (brokersOfTheUser !== undefined && 'breaks brokers, and KAFKA_BROKERS names yours: unset it')

/** The Kafka of KAFKA_BROKERS when that is set, else a cluster of the tests' own with one broker. Close it in the end. */
export async function openKafka(): Promise<Kafka> {
  if (brokersOfTheUser === undefined) return KafkaCluster.start()
  return new Kafka(new Probe(await kafkaTools()), brokersOfTheUser)
}

function reasonToSkip(): string | false {
  if (process.env['CI'] === 'true') return false
  const missing = missingKafkaTools()
  return missing.length > 0 && `needs ${missing.join(', ')}`
}
