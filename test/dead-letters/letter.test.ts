import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Refusal } from '../../sidecar/delivery/delivery.ts'
import { decodeLetter, encodeLetter } from '../../sidecar/dead-letters/letter.ts'
import { linesOf } from '../../sidecar/dead-letters/read.ts'
import type { RecordOptions } from '../../sidecar/records/build.ts'
import { anyEvent, AS_CLOUDEVENT, storedEvent, TOO_LARGE } from './letters.ts'

const anyRefusal: fc.Arbitrary<Refusal> = fc.record({
  reason: fc.constantFrom('record_too_large', 'invalid_record', 'internal_error'),
  error: fc.option(fc.record({ code: fc.integer(), name: fc.string(), message: fc.string({ unit: 'binary' }) }), {
    nil: undefined
  })
})
const anyShape: fc.Arbitrary<RecordOptions> = fc.record({
  format: fc.constantFrom('cloudevent', 'structured', 'envelope'),
  key: fc.constantFrom('id', 'partitionkey', 'inferenceservicename', 'none'),
  maxEventBytes: fc.nat()
})
/** ms of which a Date can be made. */
const anyTime = fc.integer({ min: 0, max: 8.64e15 })

test('whatever the event, one line is written from which it comes back: bytes, attributes in order, their types', () => {
  fc.assert(
    fc.property(
      anyEvent,
      anyRefusal,
      anyShape,
      fc.string(),
      anyTime,
      anyTime,
      (event, refusal, record, topic, receivedAt, refusedAt) => {
        const stored = { ...storedEvent('x'), event, topic, receivedAt }
        const line = encodeLetter(stored, refusal, record, refusedAt)
        assert.equal(line.indexOf(0x0a), line.length - 1)
        assert.deepEqual(decodeLetter(line), {
          event,
          topic,
          receivedAt,
          refusedAt,
          reason: refusal.reason,
          error: refusal.error === undefined ? undefined : { ...refusal.error },
          record: { ...record }
        })
      }
    )
  )
})

test('a line is for jq: what a person asks for has a name, and the data’s digest is that of sha256sum', () => {
  const line = encodeLetter(storedEvent('4711', '{"a":1}'), TOO_LARGE, AS_CLOUDEVENT, 1_700_000_001_000)
  const json = JSON.parse(String(line)) as Record<string, unknown>
  assert.deepEqual(
    { ...json, attributes: undefined },
    {
      version: 1,
      time: '2023-11-14T22:13:21.000Z',
      reason: 'record_too_large',
      error: { code: 10, name: 'msg_size_too_large', message: 'Broker: Message size too large' },
      topic: 'a-topic',
      receivedTime: '2023-11-14T22:13:20.123Z',
      format: 'cloudevent',
      key: 'id',
      maxEventBytes: 1_000_000,
      attributes: undefined,
      size: 7,
      sha256: createHash('sha256').update('{"a":1}').digest('hex'),
      data: Buffer.from('{"a":1}').toString('base64')
    }
  )
  assert.deepEqual((json['attributes'] as unknown[])[1], { name: 'id', value: '4711' })
  assert.equal(Object.keys(json).at(-1), 'data', 'what is long comes last')
})

test('a changed byte of the data is seen', () => {
  const line = encodeLetter(storedEvent('1', 'x'.repeat(300)), TOO_LARGE, AS_CLOUDEVENT, 0)
  const from = line.indexOf('"data":"') + '"data":"'.length
  for (let at = from; at < line.length - 3; at += 7) {
    const changed = Buffer.from(line)
    changed[at] = changed[at] === 0x41 ? 0x42 : 0x41
    assert.equal(decodeLetter(changed), 'damaged', `byte ${at}`)
  }
})

test('whatever a line holds, it is a dead letter or has a problem', () => {
  const whole = encodeLetter(storedEvent('1'), TOO_LARGE, AS_CLOUDEVENT, 0)
  const json = JSON.parse(String(whole)) as Record<string, unknown>
  const bytes = fc.oneof(
    fc.uint8Array().map(array => Buffer.from(array)),
    fc.json().map(text => Buffer.from(text)),
    fc.nat(whole.length).map(length => whole.subarray(0, length)),
    fc
      .tuple(fc.constantFrom(...Object.keys(json)), fc.jsonValue())
      .map(([name, value]) => Buffer.from(JSON.stringify({ ...json, [name]: value })))
  )
  fc.assert(
    fc.property(bytes, line => {
      const read = decodeLetter(line)
      if (typeof read === 'string') return ['damaged', 'newer'].includes(read)
      return Buffer.isBuffer(read.event.data) && Array.isArray(read.event.attributes)
    }),
    { numRuns: 500 }
  )
})

test('a line of a later release is known as one', () => {
  const line = String(encodeLetter(storedEvent('1'), TOO_LARGE, AS_CLOUDEVENT, 0))
  assert.equal(decodeLetter(Buffer.from(line.replace('"version":1', '"version":2'))), 'newer')
  assert.equal(decodeLetter(Buffer.from(line.replace('"version":1', '"version":0'))), 'damaged')
})

test('an interrupted write is the torn end of a file, wherever it was cut; the lines before it are there', () => {
  const line = encodeLetter(storedEvent('1'), TOO_LARGE, AS_CLOUDEVENT, 0)
  for (let length = 1; length < line.length; length++) {
    const lines = [...linesOf(Buffer.concat([line, line.subarray(0, length)]))]
    assert.equal(lines.length, 2)
    assert.equal(typeof lines[0]?.content, 'object')
    assert.equal(lines[1]?.content, 'torn')
  }
  assert.deepEqual([...linesOf(Buffer.alloc(0))], [])
})
