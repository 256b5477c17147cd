import type { AttributeValue, CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { KafkaRecord, KeySource, RecordFormat } from '../../sidecar/records/record.ts'

const required = {
  id: 'an-id',
  source: '/a/source',
  specversion: '1.0',
  type: 'org.kubeflow.serving.inference.request'
}

/** An event with the required attributes and the given ones, which go before them where they have the same name. */
export function eventWith(
  attributes: Readonly<Record<string, AttributeValue>> = {},
  data: string | Buffer = ''
): CloudEvent {
  const all: Record<string, AttributeValue> = { ...required, ...attributes }
  return { attributes: Object.entries(all).map(([name, value]) => ({ name, value })), data: Buffer.from(data) }
}

/** The record of an event. */
export function recordOf(
  event: CloudEvent,
  format: RecordFormat,
  key: KeySource = 'id',
  maxEventBytes = 1000,
  replayed = false
): KafkaRecord {
  return buildRecord({ event, topic: 'a-topic', replayed }, { format, key, maxEventBytes })
}
