import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../sidecar/journal/format.ts'
import { decodeRecord } from '../../sidecar/journal/payload.ts'
import {
  ReleasedRanges,
  scanSegment,
  type CorruptRegion,
  type ScannedRecord,
  type ScanResult
} from '../../sidecar/journal/scan.ts'
import type { AcceptedEvent } from '../../sidecar/store/store.ts'
import { acceptedEvent, asRead, eventOf, recordOf, segmentOf } from './arbitraries.ts'

interface Written {
  sequence: number
  accepted: AcceptedEvent
}

function scan(bytes: Buffer): ScanResult & { found: ScannedRecord[] } {
  const found: ScannedRecord[] = []
  const result = scanSegment(bytes, record => found.push(record))
  assert.equal(result.records, found.length)
  return { ...result, found }
}

/** What this process computes for, whatever else the machine is doing. */
function cpuSeconds(run: () => void): number {
  const start = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

/** Events 1, 2, … with these sequences. */
const numbered = (...sequences: number[]): Written[] =>
  sequences.map((sequence, i) => ({ sequence, accepted: eventOf(i + 1) }))

/** Where each record of a segment starts, and where the last one ends. */
function offsetsOf(records: readonly Written[]): number[] {
  const offsets = [SEGMENT_HEADER_BYTES]
  for (const { sequence, accepted } of records)
    offsets.push((offsets.at(-1) ?? 0) + recordOf(sequence, accepted).length)
  return offsets
}

const written = (maxLength: number): fc.Arbitrary<Written[]> =>
  fc
    .tuple(
      fc.nat({ max: 2 ** 40 }),
      fc.array(fc.tuple(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 })), acceptedEvent), { maxLength })
    )
    .map(([first, events]) => {
      let sequence = first
      return events.map(([gap, accepted]) => ({ sequence: (sequence += gap), accepted }))
    })

describe('a segment as it was written', () => {
  test('has each record at its offset, with its topic and time', () => {
    fc.assert(
      fc.property(written(10), records => {
        const bytes = segmentOf(records)
        const { found, validBytes, corrupt, torn } = scan(bytes)
        assert.deepEqual([validBytes, corrupt, torn], [bytes.length, [], undefined])
        let offset = SEGMENT_HEADER_BYTES
        for (const [i, { sequence, accepted }] of records.entries()) {
          const { topic, receivedAt } = accepted
          const size = recordOf(sequence, accepted).length
          assert.deepEqual(found[i], { offset, size, sequence, receivedAt, topic })
          assert.deepEqual(decodeRecord(bytes, offset), { sequence, size, accepted: asRead(accepted) })
          offset += size
        }
        assert.equal(found.length, records.length)
      }),
      { numRuns: 500 }
    )
  })

  test('without a record is sound', () => {
    for (const length of [0, 1, SEGMENT_HEADER_BYTES - 1, SEGMENT_HEADER_BYTES]) {
      const bytes = segmentOf([]).subarray(0, length)
      assert.deepEqual(scan(bytes), { records: 0, validBytes: length, corrupt: [], torn: undefined, found: [] })
    }
  })

  test('is scanned at 100 MB/s at least', () => {
    const bytes = segmentOf(Array.from({ length: 10_000 }, (_, i) => ({ sequence: i, accepted: eventOf(i) })))
    scan(bytes)
    const seconds = cpuSeconds(() => {
      for (let i = 0; i < 10; i++) assert.equal(scan(bytes).records, 10_000)
    })
    const perSecond = (10 * bytes.length) / 1e6 / seconds
    assert.ok(perSecond > 100, `${perSecond} MB/s`)
  })
})

describe('the end of a segment', () => {
  const records = numbered(1, 2, 3)
  const whole = segmentOf(records)
  const [, , third = 0, end = 0] = offsetsOf(records)

  test('is torn when the last record is incomplete', () => {
    for (let length = third + 1; length < end; length++) {
      const { found, validBytes, corrupt, torn } = scan(whole.subarray(0, length))
      assert.deepEqual(torn, { offset: third, length: length - third })
      assert.deepEqual([found.length, validBytes, corrupt], [2, third, []])
    }
  })

  test('is torn when it is zeros, of any length', () => {
    for (const length of [1, 15, 16, 26, 100, 10_000]) {
      const { records: count, corrupt, torn } = scan(Buffer.concat([whole, Buffer.alloc(length)]))
      assert.deepEqual([count, corrupt, torn], [3, [], { offset: end, length }])
    }
  })

  test('is corrupt when the last record is complete and wrong', () => {
    for (const at of [third + 4, third + RECORD_HEADER_BYTES, end - 1]) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const { corrupt, torn, validBytes } = scan(bytes)
      assert.deepEqual(corrupt, [{ offset: third, length: end - third, records: 1 }])
      assert.deepEqual([torn, validBytes], [undefined, third])
    }
  })

  test('is corrupt when it is bytes of something else', () => {
    for (const rest of [Buffer.alloc(100, 0xff), Buffer.from('{"this": "is no record of a journal"}')]) {
      const { corrupt, torn } = scan(Buffer.concat([whole, rest]))
      assert.deepEqual([corrupt, torn], [[{ offset: end, length: rest.length, records: 1 }], undefined])
    }
  })
})

describe('a segment that is damaged', () => {
  test('counts as lost what the sequences say, where they can be believed', () => {
    const lostAt = (records: Written[], damaged: number[]): number[] => {
      const bytes = segmentOf(records, 1)
      const offsets = offsetsOf(records)
      for (const i of damaged) bytes.fill(0xee, offsets[i], offsets[i + 1])
      return scan(bytes).corrupt.map(({ records: lost }) => lost)
    }
    assert.deepEqual(lostAt(numbered(1, 2, 3, 4), [1]), [1])
    assert.deepEqual(lostAt(numbered(1, 2, 3, 4), [1, 2]), [2])
    assert.deepEqual(lostAt(numbered(1, 2, 3, 4), [0, 2]), [1, 1])
    assert.deepEqual(lostAt(numbered(1, 2, 3, 4), [0, 1, 2]), [3])
    assert.deepEqual(lostAt(numbered(1, 1000, 2000), [1]), [1], 'so many do not fit there')
    assert.deepEqual(lostAt(numbered(1, 2, 3), [1, 2]), [1], 'nothing behind it says how many')
  })

  test('with garbage between records has lost at least one, though no sequence is missing', () => {
    const [first, second] = numbered(1, 2)
    assert.ok(first && second)
    const bytes = Buffer.concat([segmentOf([first]), Buffer.alloc(9, 7), recordOf(2, second.accepted)])
    const { found, corrupt } = scan(bytes)
    assert.equal(found.length, 2)
    assert.deepEqual(corrupt, [{ offset: offsetsOf([first])[1], length: 9, records: 1 }])
  })

  test('is searched from the first byte on when its header is damaged, and when its first record is', () => {
    const records = numbered(2 ** 35, 2 ** 35 + 1)
    for (const at of [0, 20, SEGMENT_HEADER_BYTES]) {
      const bytes = segmentOf(records)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      assert.equal(scan(bytes).records, at < SEGMENT_HEADER_BYTES ? 2 : 1)
    }
  })

  test('shows records out of order as well: what could not be written at first comes later', () => {
    const sequences = [100, 7, 101, 8]
    const records = numbered(...sequences)
    const bytes = segmentOf(records, 100)
    const shown = (): number[] => scan(bytes).found.map(({ sequence }) => sequence)
    assert.deepEqual(shown(), sequences)
    const offsets = offsetsOf(records)
    bytes.fill(0xee, offsets[0], offsets[1])
    assert.deepEqual(shown(), [7, 101, 8], 'behind damage, too')
  })

  test('has no record with a sequence that no writer can have come to', () => {
    const records = numbered(1, 2 ** 41, 2)
    const { found } = scan(segmentOf(records))
    assert.deepEqual(
      found.map(({ sequence }) => sequence),
      [1, 2]
    )
    assert.equal(scan(segmentOf(numbered(Number.MAX_SAFE_INTEGER, 2 ** 53))).records, 1, 'nor can decodeRecord read it')
  })

  test('has no record where a topic does not fit into the record, though its CRC is right', () => {
    const impossible: Record<string, Buffer> = {
      'a topic that ends with the record': Buffer.from([2, 97, 97]),
      'a topic that ends behind it': Buffer.from([200, 97, 0]),
      'a topic whose length is cut off': Buffer.from([255, 1]),
      'a topic of 4 GB': Buffer.from([255, 255, 255, 255, 255, 0, 0])
    }
    const [first, second] = numbered(1, 3)
    assert.ok(first && second)
    for (const [what, topic] of Object.entries(impossible)) {
      const bytes = Buffer.concat([Buffer.alloc(RECORD_HEADER_BYTES + 8), topic])
      bytes.writeUInt32LE(8 + topic.length)
      bytes.writeUInt32LE(2, 8)
      bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
      const offset: number = segmentOf([first]).length
      const corrupt: CorruptRegion[] = [{ offset, length: bytes.length, records: 1 }]
      const atEnd = scan(Buffer.concat([segmentOf([first]), bytes]))
      assert.deepEqual([atEnd.records, atEnd.corrupt], [1, corrupt], what)
      const between = scan(Buffer.concat([segmentOf([first]), bytes, recordOf(3, second.accepted)]))
      assert.deepEqual([between.records, between.corrupt], [2, corrupt], what)
    }
  })

  test('loses nothing behind a block that was copied from further back', () => {
    const records = numbered(1, 2, 3, 4, 5)
    const bytes = segmentOf(records)
    const [, second = 0, , fourth = 0, fifth = 0] = offsetsOf(records)
    bytes.copyWithin(second, fourth, fifth)
    assert.deepEqual(
      scan(bytes).found.map(({ sequence }) => sequence),
      [1, 4, 3, 4, 5]
    )
  })

  /** What may happen to a file, as changes to a list of bytes that know where they came from. */
  type Damage = {
    kind: 'flip' | 'overwrite' | 'zero' | 'insert' | 'remove' | 'cut'
    at: number
    length: number
    fill: number
  }
  const damage: fc.Arbitrary<Damage> = fc.record({
    kind: fc.constantFrom('flip', 'overwrite', 'zero', 'insert', 'remove', 'cut'),
    at: fc.nat(),
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2000 })),
    fill: fc.integer({ min: 0, max: 255 })
  })

  const CHANGED = -1

  /** Each byte's value and its offset in the undamaged file. */
  function afterDamage(original: Buffer, damages: readonly Damage[]): { bytes: Buffer; origins: number[] } {
    let bytes = Buffer.from(original)
    let origins = [...bytes.keys()]
    for (const { kind, at: anywhere, length, fill } of damages) {
      // The header is another test's.
      const at = SEGMENT_HEADER_BYTES + (anywhere % Math.max(1, bytes.length - SEGMENT_HEADER_BYTES))
      const end = Math.min(bytes.length, at + length)
      if (kind === 'flip') {
        if (at >= bytes.length) continue
        bytes[at] = (bytes[at] ?? 0) ^ (fill | 1)
        origins[at] = CHANGED
      } else if (kind === 'overwrite' || kind === 'zero') {
        for (let i = at; i < end; i++) {
          bytes[i] = kind === 'zero' ? 0 : (fill * (i - at + 1)) & 0xff
          origins[i] = CHANGED
        }
      } else {
        const inserted = kind === 'insert' ? length : 0
        const rest = kind === 'insert' ? at : kind === 'remove' ? end : bytes.length
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(inserted, fill), bytes.subarray(rest)])
        origins = [...origins.slice(0, at), ...new Array<number>(inserted).fill(CHANGED), ...origins.slice(rest)]
      }
    }
    return { bytes, origins }
  }

  test('shows every record whose bytes are still there, and nothing that was not written', () => {
    fc.assert(
      fc.property(written(8), fc.array(damage, { maxLength: 4 }), (records, damages) => {
        const original = segmentOf(records)
        const { bytes, origins } = afterDamage(original, damages)
        const { found, corrupt, torn, validBytes } = scan(bytes)

        const offsets = offsetsOf(records)
        const whole = records.flatMap(({ sequence }, i) => {
          const [from = 0, to = 0] = [offsets[i], offsets[i + 1]]
          const at = origins.indexOf(from)
          return at !== -1 && isRun(origins, at, to - from) ? [[at, sequence]] : []
        })
        const missing = whole.filter(([at]) => !found.some(({ offset }) => offset === at))
        assert.deepEqual(missing, [])
        // A record may have been overwritten with the very bytes it had: then more is found than is known to be whole.
        for (const { offset, size, sequence } of found) {
          const index = records.findIndex(one => one.sequence === sequence)
          assert.ok(bytes.subarray(offset, offset + size).equals(original.subarray(offsets[index], offsets[index + 1])))
        }

        const pieces = [
          ...found.map(({ offset, size }) => [offset, size] as const),
          ...[...corrupt, ...(torn === undefined ? [] : [torn])].map(({ offset, length }) => [offset, length] as const)
        ].sort(([a], [b]) => a - b)
        let at = Math.min(bytes.length, SEGMENT_HEADER_BYTES)
        for (const [offset, length] of pieces) {
          assert.equal(offset, at, 'no byte belongs to nothing or to two')
          assert.ok(length > 0)
          at += length
        }
        assert.equal(at, bytes.length)
        const last = found.at(-1)
        assert.equal(
          validBytes,
          last === undefined ? Math.min(bytes.length, SEGMENT_HEADER_BYTES) : last.offset + last.size
        )
        assert.ok(corrupt.every(({ records: lost }) => lost >= 1))
      }),
      { numRuns: 3000 }
    )
  })

  function isRun(origins: readonly number[], at: number, length: number): boolean {
    const from = origins[at] ?? CHANGED
    for (let i = 1; i < length; i++) if (origins[at + i] !== from + i) return false
    return true
  }
})

describe('megabytes of damage', () => {
  const SIZE = 2 * 1024 * 1024
  const good = recordOf(2 ** 20, eventOf(1))

  function segmentFilled(fill: (bytes: Buffer) => void): Buffer {
    const bytes = Buffer.alloc(SIZE)
    segmentOf([], 1).copy(bytes)
    fill(bytes.subarray(SEGMENT_HEADER_BYTES, SIZE - good.length))
    good.copy(bytes, SIZE - good.length)
    return bytes
  }

  /** The start of a record that would be of this length, at each multiple of a number of bytes. */
  const starts = (every: number, length: (rest: number) => number) =>
    segmentFilled(bytes => {
      for (let at = 0; at + 26 <= bytes.length; at += every) {
        bytes.writeUInt32LE(length(bytes.length - at), at)
        bytes[at + 8] = 1
        bytes[at + 24] = 1
      }
    })

  const damages: Record<string, () => Buffer> = {
    zeros: () => segmentFilled(() => {}),
    spaces: () => segmentFilled(bytes => bytes.fill(' ')),
    'a counter': () => segmentFilled(bytes => bytes.forEach((_, i) => bytes.writeUInt8((i * 7 + (i >> 8)) & 0xff, i))),
    'one bit a KiB': () => {
      const records = Array.from({ length: 8000 }, (_, i) => ({ sequence: i + 1, accepted: eventOf(i) }))
      const bytes = segmentOf(records).subarray(0, SIZE - good.length)
      for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; at += 1024) bytes[at] = (bytes[at] ?? 0) ^ 1
      return Buffer.concat([bytes, good])
    },
    'starts of records to the end of the file, every 27 bytes': () => starts(27, rest => rest - 16),
    'starts of records of 2 KiB, every 26 bytes': () => starts(26, rest => Math.min(2048, rest - 16)),
    'starts of records every 16 bytes': () => starts(16, rest => rest - 16),
    'starts of records every 4 bytes': () =>
      segmentFilled(bytes => {
        for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(255, at)
      })
  }
  for (const [name, make] of Object.entries(damages)) {
    test(`is searched through in seconds: ${name}`, () => {
      const bytes = make()
      const seconds = cpuSeconds(() => {
        assert.equal(scan(bytes).found.at(-1)?.offset, bytes.length - good.length)
      })
      // A third of a second at most on a quiet core; were it quadratic, it would be minutes.
      assert.ok(seconds < 10, `${seconds} s`)
    })
  }
})

describe('released ranges', () => {
  const range = fc
    .tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 20 }))
    .map(([offset, length]): [number, number] => [offset, length])

  test('cover exactly the bytes they say, in any order, overlapping or not', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), ranges => {
        const released = new ReleasedRanges(ranges)
        for (let at = 0; at < 90; at++) {
          assert.equal(
            released.has(at),
            ranges.some(([offset, length]) => at >= offset && at < offset + length),
            String(at)
          )
        }
      }),
      { numRuns: 1000 }
    )
  })

  test('are found among a hundred thousand', () => {
    const released = new ReleasedRanges(Array.from({ length: 100_000 }, (_, i) => [64 + i * 20, 10] as const))
    let hits = 0
    for (let at = 64; at < 64 + 2_000_000; at += 10) if (released.has(at)) hits++
    assert.equal(hits, 100_000)
  })
})
