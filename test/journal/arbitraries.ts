import fc from 'fast-check'
import type { Attribute } from '../../sidecar/cloudevents/event.ts'
import { encodeSegmentHeader } from '../../sidecar/journal/format.ts'
import { encodeRecord, recordBytesBound } from '../../sidecar/journal/payload.ts'
import type { AcceptedEvent } from '../../sidecar/store/store.ts'

/** Any text: short ASCII as most is, around the lengths at which its encoding changes, beyond ASCII, half a surrogate. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 40 }), weight: 4 },
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('', '\ud800', 'a\udc00b', '😀', '\0', '__proto__'),
  fc
    .tuple(
      fc.constantFrom('a', 'é', '€', '😀', '\ud800'),
      fc.constantFrom(84, 85, 99, 100, 101, 127, 128, 254, 255, 256)
    )
    .map(([unit, length]) => unit.repeat(length))
)

const attribute: fc.Arbitrary<Attribute> = fc.record({
  name: fc.oneof(fc.constantFrom('id', 'source', 'time', 'type'), text),
  value: fc.oneof({ arbitrary: text, weight: 4 }, fc.double(), fc.integer(), fc.boolean())
})

/** Any event that may be in a journal. */
export const acceptedEvent: fc.Arbitrary<AcceptedEvent> = fc.record({
  event: fc.record({
    attributes: fc.array(attribute, { maxLength: 20 }),
    data: fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes))
  }),
  topic: fc.stringMatching(/^[a-zA-Z0-9._-]{1,30}$/),
  receivedAt: fc.oneof(fc.integer({ min: 0, max: 2 ** 42 }), fc.double({ noNaN: true }))
})

/** An event as reading it back gives it: UTF-8 has no half of a surrogate pair. */
export function asRead({ event, topic, receivedAt }: AcceptedEvent): AcceptedEvent {
  const attributes = event.attributes.map(({ name, value }) => ({
    name: name.toWellFormed(),
    value: typeof value === 'string' ? value.toWellFormed() : value
  }))
  return { event: { attributes, data: event.data }, topic, receivedAt }
}

/** An event as one record. */
export function recordOf(sequence: number, accepted: AcceptedEvent): Buffer {
  const bytes = Buffer.alloc(recordBytesBound(accepted))
  return bytes.subarray(0, encodeRecord(bytes, 0, sequence, accepted))
}

/** An event like KServe's, whose number is its `id`. */
export function eventOf(
  number: number,
  { topic = 'a-topic', bytes = 51, receivedAt = 1_795_343_759_000 + number } = {}
): AcceptedEvent {
  const attributes = [
    { name: 'specversion', value: '1.0' },
    { name: 'id', value: String(number) },
    { name: 'source', value: 'http://localhost:9480/' },
    { name: 'type', value: 'org.kubeflow.serving.inference.request' },
    { name: 'datacontenttype', value: 'application/json' }
  ]
  return { event: { attributes, data: Buffer.alloc(bytes, 'x') }, topic, receivedAt }
}

/** A segment's bytes. */
export function segmentOf(
  records: readonly { sequence: number; accepted: AcceptedEvent }[],
  firstSequence = records[0]?.sequence ?? 1
): Buffer {
  const header = encodeSegmentHeader({ firstSequence, run: '0123456789abcdef', createdAt: 1_795_343_759_389 })
  return Buffer.concat([header, ...records.map(({ sequence, accepted }) => recordOf(sequence, accepted))])
}
