import { randomUUID } from 'node:crypto'
import type { KafkaProperties } from '../../sidecar/kafka/properties.ts'

/**
 * Properties for producers only (librdkafka's CONFIGURATION.md, column "C/P"). The sidecar's environment and properties
 * file serve here as well, and a consumer warns of each of these.
 */
export const PRODUCER_ONLY: ReadonlySet<string> = new Set([
  'acks',
  'batch.num.messages',
  'batch.size',
  'compression.codec',
  'compression.level',
  'compression.type',
  'delivery.report.only.error',
  'delivery.timeout.ms',
  'dr_cb',
  'dr_msg_cb',
  'enable.gapless.guarantee',
  'enable.idempotence',
  'linger.ms',
  'message.send.max.retries',
  'message.timeout.ms',
  'msg_order_cmp',
  'partitioner',
  'partitioner_cb',
  'produce.offset.report',
  'queue.buffering.backpressure.threshold',
  'queue.buffering.max.kbytes',
  'queue.buffering.max.messages',
  'queue.buffering.max.ms',
  'queuing.strategy',
  'request.required.acks',
  'request.timeout.ms',
  'retries',
  'sticky.partitioning.linger.ms',
  'transaction.timeout.ms',
  'transactional.id'
])

/** What the consumer's properties follow from. */
export interface ConsumerOptions {
  readonly brokers: string
  /** The user's properties; those for producers are left out. */
  readonly user: KafkaProperties
}

/** The consumer's properties: reads, and leaves no trace in the cluster. */
export function consumerProperties({ brokers, user }: ConsumerOptions): KafkaProperties {
  return {
    global: {
      'client.id': 'inference-logger-tail',
      'socket.keepalive.enable': true,
      'log.connection.close': false,
      'reconnect.backoff.ms': 100,
      'reconnect.backoff.max.ms': 2000,
      // A record is there to be seen now: the fetch's own wait ends with the first byte.
      'fetch.wait.max.ms': 250,
      // KIP-714 telemetry to the broker: nothing that anyone asked for.
      'enable.metrics.push': false,
      // 64 MiB is librdkafka's default, which is more than the rest of this program takes.
      'queued.max.messages.kbytes': 16_384,
      ...forConsumers(user.global),
      'bootstrap.servers': brokers,
      // librdkafka wants a name, and asks who the group's coordinator would be. Nothing joins or commits: there is no group.
      'group.id': `inference-logger-tail-${randomUUID()}`,
      'enable.auto.commit': false,
      'enable.auto.offset.store': false,
      'allow.auto.create.topics': false
    },
    topic: {
      ...forConsumers(user.topic),
      // Of use only when retention has taken what was to be read next: go on with what is left.
      'auto.offset.reset': 'earliest'
    }
  }
}

function forConsumers(properties: KafkaProperties['global']): KafkaProperties['global'] {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !PRODUCER_ONLY.has(name)))
}
