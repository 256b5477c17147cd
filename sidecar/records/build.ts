import type { StoredEvent } from '../store/store.ts'
import { envelopeOf } from './envelope.ts'
import { headersOf } from './headers.ts'
import {
  keyOf,
  notATombstone,
  type KafkaRecord,
  type KeySource,
  type RecordFormat,
  type RecordHeader
} from './record.ts'
import { STRUCTURED_CONTENT_TYPE, structuredValue } from './structured.ts'

/** What decides how an event looks in Kafka. */
export interface RecordOptions {
  readonly format: RecordFormat
  readonly key: KeySource
  /** Bound on what a compressed payload may grow to in an envelope, in bytes. */
  readonly maxEventBytes: number
}

/** Not an attribute of the event, hence no `ce_`: a consumer that must not see an event twice looks closer at these. */
const REPLAYED: RecordHeader = { 'inference-logger-replayed': 'true' }

/** Turns an event into its Kafka record: a pure function, so that a replayed event gives the same record again, and a mark. */
export function buildRecord(
  stored: Pick<StoredEvent, 'event' | 'topic'> & Partial<Pick<StoredEvent, 'replayed'>>,
  options: RecordOptions
): KafkaRecord {
  const record = recordOf(stored, options)
  if (stored.replayed === true) record.headers.push(REPLAYED)
  return record
}

function recordOf({ event, topic }: Pick<StoredEvent, 'event' | 'topic'>, options: RecordOptions): KafkaRecord {
  const key = keyOf(event, options.key)
  switch (options.format) {
    case 'cloudevent':
      return { topic, key, value: notATombstone(event.data), headers: headersOf(event) }
    case 'structured':
      return { topic, key, value: structuredValue(event), headers: headersOf(event, STRUCTURED_CONTENT_TYPE) }
    case 'envelope': {
      const { value, decompressed } = envelopeOf(event, options.maxEventBytes)
      // The mark speaks of the value: one that was decompressed must not carry it.
      return { topic, key, value, headers: headersOf(event, undefined, decompressed ? 'contentencoding' : undefined) }
    }
  }
}
