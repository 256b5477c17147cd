import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { RangeCrc } from '../../sidecar/journal/range-crc.ts'

test('the CRC of any range is what CRC-32 says, in any order of asking', () => {
  const bytes = randomBytes(300_000)
  const crc = new RangeCrc(bytes)
  const position = fc.oneof(
    fc.nat({ max: bytes.length }),
    fc.nat({ max: 5000 }),
    fc.nat({ max: 580 }).map(n => n * 512)
  )
  fc.assert(
    fc.property(position, position, (a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a]
      assert.equal(crc.of(from, to), crc32(bytes.subarray(from, to)))
    }),
    { numRuns: 5000 }
  )
})

test('ranges of more than 16 MiB are right, too', () => {
  const bytes = Buffer.alloc(20_000_000, 'some text that is not a power of two')
  const crc = new RangeCrc(bytes)
  assert.equal(crc.of(5, 19_999_999), crc32(bytes.subarray(5, 19_999_999)))
})
