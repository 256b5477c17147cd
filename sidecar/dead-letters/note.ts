import type { Refusal } from '../delivery/delivery.ts'
import { headersOf } from '../records/headers.ts'
import { keyOf, notATombstone, type KafkaRecord, type KeySource } from '../records/record.ts'
import type { StoredEvent } from '../store/store.ts'
import { sha256 } from './letter.ts'

/** How much of an event's data a note has, in bytes: the rest may be what was too large. */
export const NOTE_DATA_BYTES = 16 * 1024

/** Headers of a note that are not the event's begin like this. */
const PREFIX = 'inference-logger-dead-letter-'

/** The record that tells of a dead letter in the dead letter topic: the event's key and attributes, and the beginning of its data. */
export function noteOf(
  { event, topic: refusedBy, receivedAt }: StoredEvent,
  { reason, error }: Refusal,
  topic: string,
  key: KeySource
): KafkaRecord {
  const headers = headersOf(event)
  const add = (name: string, value: string | number): void => void headers.push({ [PREFIX + name]: String(value) })
  add('reason', reason)
  if (error !== undefined) {
    add('error-code', error.code)
    add('error', error.message)
  }
  add('topic', refusedBy)
  add('size', event.data.length)
  add('sha256', sha256(event.data))
  add('receivedtime', new Date(receivedAt).toISOString())
  const value = notATombstone(event.data.subarray(0, NOTE_DATA_BYTES))
  return { topic, key: keyOf(event, key), value, headers }
}
