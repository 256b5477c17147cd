import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import type { Attribute } from '../../sidecar/cloudevents/event.ts'
import {
  decodeReleases,
  decodeSegmentHeader,
  encodeReleases,
  encodeSegmentHeader,
  FORMAT_VERSION,
  RELEASED_SUFFIX,
  SEGMENT_SUFFIX,
  segmentName
} from '../../sidecar/journal/format.ts'
import { decodeRecord } from '../../sidecar/journal/payload.ts'
import { scanSegment, type ScannedRecord } from '../../sidecar/journal/scan.ts'
import { releaseSalt } from '../../sidecar/journal/segment.ts'
import type { AcceptedEvent } from '../../sidecar/store/store.ts'
import { recordOf } from './arbitraries.ts'

/**
 * A journal as version 1 wrote it, in the repository for good: UPDATE_GOLDEN=1 writes it only where it is missing. A new
 * version of the format gets a folder and a test of its own, and leaves these alone.
 */
const folder = resolve('test/fixtures/journal-v1')
const firstSequence = 4_294_967_290
const run = '0123456789abcdef'
const createdAt = 1_795_343_759_389
const segmentPath = join(folder, segmentName(firstSequence))
const releasedPath = segmentPath.slice(0, -SEGMENT_SUFFIX.length) + RELEASED_SUFFIX

const kserve = (id: string, type: string): Attribute[] => [
  { name: 'specversion', value: '1.0' },
  { name: 'id', value: id },
  { name: 'source', value: 'http://localhost:9081/' },
  { name: 'type', value: `org.kubeflow.serving.inference.${type}` },
  { name: 'time', value: '2026-11-22T10:36:01.389725994Z' },
  { name: 'inferenceservicename', value: 'sklearn-iris' },
  { name: 'namespace', value: 'default' },
  { name: 'component', value: 'predictor' },
  { name: 'endpoint', value: '' },
  { name: 'metadata', value: '{"X-User":["uuuu"]}' },
  { name: 'datacontenttype', value: 'application/json' }
]

/** Sequences with their events: one at least for each way of writing something. */
const events: [sequence: number, AcceptedEvent][] = [
  [firstSequence, eventAs(kserve('f0eeea19-2ba8-41ac-ac54-ce2b22e1c6e0', 'request'), '{"instances":[1]}')],
  [firstSequence + 1, eventAs(kserve('f0eeea19-2ba8-41ac-ac54-ce2b22e1c6e0', 'response'), '{"predictions":[1]}')],
  // Sequences are not all used.
  [
    firstSequence + 7,
    eventAs(
      [
        { name: 'integer', value: -7 },
        { name: 'fraction', value: 0.1 },
        { name: 'negativezero', value: -0 },
        { name: 'yes', value: true },
        { name: 'no', value: false },
        { name: 'empty', value: '' },
        { name: 'text', value: 'naïve 😀 \0' },
        { name: 'long', value: 'l'.repeat(1000) },
        { name: 'x'.repeat(101), value: 'x'.repeat(100) },
        { name: 'twice', value: '1' },
        { name: 'twice', value: '2' }
      ],
      Buffer.from([0, 255, 1, 254]),
      'another.topic'
    )
  ],
  [
    firstSequence + 8,
    eventAs(
      Array.from({ length: 300 }, (_, i) => ({ name: `a${i}`, value: i })),
      ''
    )
  ],
  [firstSequence + 9, eventAs([], '')]
]
const released = [[64, 787]] as const
const tornBytes = 40

function eventAs(
  attributes: Attribute[],
  data: string | Buffer,
  topic = 'sklearn-iris-inference-topic'
): AcceptedEvent {
  return { event: { attributes, data: Buffer.from(data) }, topic, receivedAt: 1_795_343_759_400.5 }
}

/** What the encoder of today makes of the same events. */
function written(): { segment: Buffer; releases: Buffer } {
  const torn = recordOf(firstSequence + 10, eventAs([], 'of which only the start was written')).subarray(0, tornBytes)
  const segment = Buffer.concat([
    encodeSegmentHeader({ firstSequence, run, createdAt }),
    ...events.map(([sequence, accepted]) => recordOf(sequence, accepted)),
    torn
  ])
  return { segment, releases: encodeReleases(releaseSalt(run, firstSequence), released) }
}

if (process.env['UPDATE_GOLDEN'] === '1' && !existsSync(folder)) {
  mkdirSync(folder)
  writeFileSync(segmentPath, written().segment)
  writeFileSync(releasedPath, written().releases)
}

describe('a journal written by version 1 is read by every later version', () => {
  const segment = readFileSync(segmentPath)
  const releases = readFileSync(releasedPath)
  const found: ScannedRecord[] = []
  const { torn, corrupt, records } = scanSegment(segment, record => found.push(record))

  test('its header', () => {
    assert.deepEqual(decodeSegmentHeader(segment), { version: 1, firstSequence, run, createdAt })
  })

  test('each record, with its sequence, topic and time', () => {
    assert.deepEqual(
      found.map(({ sequence, topic, receivedAt }) => [sequence, topic, receivedAt]),
      events.map(([sequence, { topic, receivedAt }]) => [sequence, topic, receivedAt])
    )
    assert.deepEqual([records, corrupt], [events.length, []])
  })

  test('the torn end', () => {
    assert.deepEqual(torn, { offset: segment.length - tornBytes, length: tornBytes })
  })

  for (const [i, [sequence, accepted]] of events.entries()) {
    test(`event ${i + 1}, exactly`, () => {
      const { offset = 0, size } = found[i] ?? {}
      assert.deepEqual(decodeRecord(segment, offset), { sequence, size, accepted })
    })
  }

  test('what was released', () => {
    assert.deepEqual(decodeReleases(releaseSalt(run, firstSequence), releases), released)
    assert.equal(found[2]?.offset, 64 + released[0][1], 'the first two records')
  })
})

test(
  'what is written is version 1, byte for byte: a change needs another version',
  { skip: (FORMAT_VERSION as number) === 1 ? false : 'this is a later version' },
  () => {
    const { segment, releases } = written()
    assert.deepEqual(segment, readFileSync(segmentPath))
    assert.deepEqual(releases, readFileSync(releasedPath))
  }
)
