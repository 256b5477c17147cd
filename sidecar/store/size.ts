import { type CloudEvent } from '../cloudevents/event.ts'

/**
 * What one event costs beside its bytes: the objects here, and librdkafka's copy with its headers (measured: about
 * 1.1 KiB of native memory for a small record, reference figures in docs/performance.md).
 */
const OVERHEAD_BYTES = 1024

/** What an event counts against a bound on memory, in bytes. */
export function sizeOf(event: CloudEvent): number {
  let bytes = OVERHEAD_BYTES + event.data.length
  for (const { name, value } of event.attributes) bytes += name.length + String(value).length
  return bytes
}
