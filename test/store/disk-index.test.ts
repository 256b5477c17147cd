import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DiskIndex, type DiskPlace } from '../../sidecar/store/disk-index.ts'

test('places come out as they went in, however pushing and shifting alternate', () => {
  const field = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 700 }), segmentId: field, offset: field, size: field }),
    fc.record({ shift: fc.integer({ min: 1, max: 700 }) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const index = new DiskIndex()
      const expected: DiskPlace[] = []
      for (const one of steps) {
        if ('push' in one) {
          for (let i = 0; i < one.push; i++) {
            const place = { segmentId: one.segmentId, offset: (one.offset + i) % 2 ** 32, size: one.size }
            index.push(place.segmentId, place.offset, place.size, 1)
            expected.push(place)
          }
        } else {
          for (let i = 0; i < one.shift; i++) {
            assert.deepEqual(index.peek(), expected[0])
            index.shift()
            expected.shift()
          }
        }
        assert.equal(index.length, expected.length)
        assert.deepEqual(index.peek(), expected[0])
      }
    }),
    { numRuns: 50 }
  )
})

test('the age is that of the oldest place, or a little more', () => {
  const index = new DiskIndex()
  assert.equal(index.oldestReceivedAt, undefined)
  for (let at = 0; at < 2000; at++) index.push(1, 1, 1, at)
  for (let at = 0; at < 2000; at++) {
    const oldest = index.oldestReceivedAt ?? Infinity
    assert.ok(oldest <= at && oldest > at - 512)
    index.shift()
  }
  assert.equal(index.oldestReceivedAt, undefined)
  index.push(1, 1, 1, 5000)
  assert.equal(index.oldestReceivedAt, 5000)
})

test('shifting an empty one changes nothing', () => {
  const index = new DiskIndex()
  index.shift()
  assert.equal(index.length, 0)
  index.push(1, 2, 3, 4)
  assert.deepEqual(index.peek(), { segmentId: 1, offset: 2, size: 3 })
})
