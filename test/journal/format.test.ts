import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import {
  decodeReleases,
  decodeSegmentHeader,
  encodeReleases,
  encodeSegmentHeader,
  FORMAT_VERSION,
  RELEASE_ENTRY_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentName,
  sequenceOfName
} from '../../sidecar/journal/format.ts'

const sequence = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)
)

describe('the name of a segment', () => {
  test('says its first sequence, and sorts as sequences do', () => {
    assert.equal(segmentName(42), '00000000000000000042.journal')
    fc.assert(
      fc.property(sequence, sequence, (a, b) => {
        assert.equal(sequenceOfName(segmentName(a)), a)
        assert.equal(segmentName(a) < segmentName(b), a < b)
      })
    )
  })

  test('is told from other files’ names', () => {
    for (const name of [
      '',
      'lock',
      '42.journal',
      '00000000000000000042.released',
      '00000000000000000042.journal.tmp',
      '0000000000000000004x.journal',
      '-0000000000000000042.journal',
      ' 0000000000000000042.journal',
      '0x000000000000000042.journal',
      '99999999999999999999.journal'
    ]) {
      assert.equal(sequenceOfName(name), undefined, name)
    }
  })
})

describe('the header of a segment', () => {
  const run = fc.stringMatching(/^[0-9a-f]{16}$/)
  const anyHeader = fc.record({ firstSequence: sequence, run, createdAt: fc.maxSafeNat() })
  const header = encodeSegmentHeader({ firstSequence: 7, run: '0123456789abcdef', createdAt: 1_795_343_759_389 })

  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyHeader, written => {
        const bytes = encodeSegmentHeader(written)
        assert.equal(bytes.length, SEGMENT_HEADER_BYTES)
        assert.deepEqual(decodeSegmentHeader(bytes), { version: FORMAT_VERSION, ...written })
        assert.deepEqual(decodeSegmentHeader(Buffer.concat([bytes, bytes])), { version: FORMAT_VERSION, ...written })
      })
    )
  })

  test('has whole milliseconds', () => {
    assert.deepEqual(
      decodeSegmentHeader(encodeSegmentHeader({ firstSequence: 1, run: '0'.repeat(16), createdAt: 5.9 })),
      {
        version: FORMAT_VERSION,
        firstSequence: 1,
        run: '0'.repeat(16),
        createdAt: 5
      }
    )
  })

  test('of anything but 16 hexadecimal digits for the run is refused', () => {
    for (const wrong of ['', '0123456789abcde', '0123456789abcdefa', '0123456789abcdeg', '0123456789ABCDEF']) {
      assert.throws(() => encodeSegmentHeader({ firstSequence: 1, run: wrong, createdAt: 1 }), RangeError)
    }
  })

  test('that was cut off, or never got to the disk, is torn', () => {
    for (let length = 0; length < SEGMENT_HEADER_BYTES; length++) {
      assert.deepEqual(decodeSegmentHeader(header.subarray(0, length)), { problem: 'torn' })
    }
    assert.deepEqual(decodeSegmentHeader(Buffer.alloc(SEGMENT_HEADER_BYTES)), { problem: 'torn' })
    const withMore = Buffer.concat([Buffer.alloc(SEGMENT_HEADER_BYTES), Buffer.from('more')])
    assert.deepEqual(decodeSegmentHeader(withMore), { problem: 'torn' }, 'what follows does not matter')
  })

  test('with any bit changed is never taken for another one', () => {
    for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit++) {
      const damaged = Buffer.from(header)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const version = damaged.readUInt16LE(8)
      assert.deepEqual(
        decodeSegmentHeader(damaged),
        version > FORMAT_VERSION ? { problem: 'newer', version } : { problem: 'corrupt' },
        `bit ${bit}`
      )
    }
  })

  test('of a later version is known as such, whatever that version has in it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: FORMAT_VERSION + 1, max: 0xffff }),
        fc.uint8Array({ minLength: 54, maxLength: 100 }),
        (version, rest) => {
          const bytes = Buffer.concat([header.subarray(0, 10), rest])
          bytes.writeUInt16LE(version, 8)
          assert.deepEqual(decodeSegmentHeader(bytes), { problem: 'newer', version })
        }
      )
    )
  })

  test('of version 0 is corrupt: there was none', () => {
    const bytes = Buffer.from(header)
    bytes.writeUInt16LE(0, 8)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
    assert.deepEqual(decodeSegmentHeader(bytes), { problem: 'corrupt' })
  })
})

describe('released ranges', () => {
  const range = fc
    .tuple(fc.integer({ min: SEGMENT_HEADER_BYTES, max: 2 ** 31 }), fc.integer({ min: 16, max: 2 ** 31 }))
    .map(([offset, length]): [number, number] => [offset, length])
  const ranges = fc.array(range, { maxLength: 10 })

  test('are read as they were written, in the same order, also when they were added piece by piece', () => {
    fc.assert(
      fc.property(sequence, ranges, ranges, (salt, first, then) => {
        const bytes = Buffer.concat([encodeReleases(salt, first), encodeReleases(salt, then)])
        assert.equal(bytes.length, (first.length + then.length) * RELEASE_ENTRY_BYTES)
        assert.deepEqual(decodeReleases(salt, bytes), [...first, ...then])
      })
    )
  })

  test('are nothing beside another segment', () => {
    fc.assert(
      fc.property(sequence, sequence, ranges, (salt, other, written) => {
        fc.pre(salt !== other)
        assert.deepEqual(decodeReleases(other, encodeReleases(salt, written)), [])
      })
    )
  })

  test('are read up to where the file ends or is damaged, and no further', () => {
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 1, maxLength: 10 }),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (written, n, bit) => {
          const bytes = encodeReleases(1, written)
          const at = n % bytes.length
          const before = written.slice(0, Math.floor(at / RELEASE_ENTRY_BYTES))
          assert.deepEqual(decodeReleases(1, bytes.subarray(0, at)), before)
          bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
          assert.deepEqual(decodeReleases(1, bytes), before)
        }
      ),
      { numRuns: 1000 }
    )
  })

  test('that cannot be are not read: in the header, shorter than a record, beyond what an offset can be', () => {
    for (const wrong of [
      [0, 1000],
      [SEGMENT_HEADER_BYTES - 1, 100],
      [64, 0],
      [64, 15],
      [2 ** 32 - 1, 16]
    ] as const) {
      assert.deepEqual(decodeReleases(1, encodeReleases(1, [[64, 16], wrong, [80, 16]])), [[64, 16]])
    }
    assert.deepEqual(decodeReleases(1, Buffer.alloc(64)), [], 'zeros')
  })
})
