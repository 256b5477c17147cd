import { attribute, type CloudEvent } from '../cloudevents/event.ts'

/** One Kafka header in node-rdkafka's form: an object with exactly one key; any other key would be lost. */
export type RecordHeader = Readonly<Record<string, string>>

/** A record as it is handed to Kafka. */
export interface KafkaRecord {
  readonly topic: string
  /** null: no key, the partitioner chooses. Never a string: node-rdkafka cuts those at NUL. */
  readonly key: Buffer | null
  /** Never null and never without backing memory: see {@link notATombstone}. */
  readonly value: Buffer
  readonly headers: RecordHeader[]
}

/** INFERENCE_LOGGER_FORMAT. */
export type RecordFormat = 'cloudevent' | 'structured' | 'envelope'

/** INFERENCE_LOGGER_KEY. */
export type KeySource = 'id' | 'partitionkey' | 'inferenceservicename' | 'none'

/** The record's key (Kafka binding 3.1); a mapper never changes the event, so the attribute stays among the headers. */
export function keyOf(event: CloudEvent, source: KeySource): Buffer | null {
  if (source === 'none') return null
  const value = attribute(event, source)
  return value === undefined || value === '' ? null : Buffer.from(String(value), 'utf8')
}

/** One byte that is never read: a view of length 0 on it has an address. */
const EMPTY = Buffer.alloc(1).subarray(0, 0)

/**
 * Keeps an empty body from becoming a tombstone. node-rdkafka 3.6.1 hands a Buffer without memory behind it to
 * librdkafka as NULL (src/producer.cc), which is a null value: a delete marker in a compacted topic, and skipped by
 * many consumers. An event without data is an event: its value has length 0.
 */
export function notATombstone(value: Buffer): Buffer {
  return value.length === 0 ? EMPTY : value
}
