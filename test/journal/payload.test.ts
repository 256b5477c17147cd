import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { AttributeValue } from '../../sidecar/cloudevents/event.ts'
import { JournalFormatError, RECORD_HEADER_BYTES } from '../../sidecar/journal/format.ts'
import { decodeRecord, encodeRecord, recordBytesBound } from '../../sidecar/journal/payload.ts'
import type { AcceptedEvent } from '../../sidecar/store/store.ts'
import { acceptedEvent, asRead, eventOf, recordOf } from './arbitraries.ts'

function withAttributes(attributes: AcceptedEvent['event']['attributes']): AcceptedEvent {
  return { event: { attributes, data: Buffer.from('data') }, topic: 'a-topic', receivedAt: 1 }
}

const withValue = (value: AttributeValue): AcceptedEvent => withAttributes([{ name: 'a', value }])

/** What a function returns; undefined when it says that the format is wrong, which is all that it may throw. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof JournalFormatError) return undefined
    throw error
  }
}

const valueOf = (bytes: Buffer): AttributeValue | undefined =>
  decodeRecord(bytes, 0).accepted.event.attributes[0]?.value

describe('a record', () => {
  test('is read as it was written, one behind the other, whatever the event', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.maxSafeNat(), acceptedEvent), { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 100 }),
        (written, start) => {
          const bound = written.reduce((sum, [, accepted]) => sum + recordBytesBound(accepted), start)
          const target = Buffer.alloc(bound, 0xaa)
          let end = start
          for (const [sequence, accepted] of written) {
            const before = end
            end = encodeRecord(target, before, sequence, accepted)
            assert.ok(end - before <= recordBytesBound(accepted))
          }
          const chunk = target.subarray(0, end)
          let at = start
          for (const [sequence, accepted] of written) {
            const read = decodeRecord(chunk, at)
            assert.deepEqual(read, { sequence, size: read.size, accepted: asRead(accepted) })
            at += read.size
          }
          assert.equal(at, end)
          assert.ok(target.subarray(0, start).every(byte => byte === 0xaa))
        }
      ),
      { numRuns: 2000 }
    )
  })

  test('keeps every number, the integer and the odd ones', () => {
    for (const value of [0, -0, 1, -1, 2 ** 31 - 1, -(2 ** 31), Number.MAX_SAFE_INTEGER, 0.1, 5e-324, Infinity, NaN]) {
      assert.ok(Object.is(valueOf(recordOf(1, withValue(value))), value), String(value))
    }
  })

  test('tells text from what it looks like', () => {
    for (const value of ['true', true, '1', 1, '', false, 'null']) {
      assert.equal(valueOf(recordOf(1, withValue(value))), value)
    }
  })

  test('never takes more than its bound, though all of its text is as long as text can be', () => {
    const accepted = withAttributes(Array.from({ length: 300 }, () => ({ name: '€', value: '€'.repeat(100) })))
    assert.ok(recordOf(1, accepted).length <= recordBytesBound(accepted))
    assert.ok(recordBytesBound(accepted) - recordOf(1, accepted).length < 50, 'nor much less')
  })

  test('takes text and names of megabytes', () => {
    for (const unit of ['a', 'é', '€', '😀']) {
      const long = unit.repeat(3_000_000 / unit.length)
      const accepted = withAttributes([
        { name: 'before', value: 'b' },
        { name: long, value: long },
        { name: 'after', value: 'a' }
      ])
      const bytes = recordOf(1, accepted)
      assert.ok(bytes.length <= recordBytesBound(accepted))
      // Not deepEqual of all: a failure would print megabytes.
      const { attributes, data } = decodeRecord(bytes, 0).accepted.event
      assert.ok(attributes[1]?.name === long && attributes[1].value === long, unit)
      assert.deepEqual([attributes[0], attributes[2]], [accepted.event.attributes[0], accepted.event.attributes[2]])
      assert.equal(data.toString(), 'data')
    }
  })

  test('takes no attributes and a hundred thousand', () => {
    for (const count of [0, 1, 254, 255, 256, 100_000]) {
      const attributes = Array.from({ length: count }, (_, i) => ({ name: `n${i}`, value: i % 2 === 0 ? i : `v${i}` }))
      assert.deepEqual(decodeRecord(recordOf(1, withAttributes(attributes)), 0).accepted.event.attributes, attributes)
    }
  })

  test('keeps the order of attributes, and two of one name', () => {
    const attributes = ['b', 'a', 'b', 'a'].map((name, i) => ({ name, value: String(i) }))
    assert.deepEqual(decodeRecord(recordOf(1, withAttributes(attributes)), 0).accepted.event.attributes, attributes)
  })
})

describe('reading records', () => {
  test('gives what several have in common once', () => {
    const attributes = (id: number): AcceptedEvent['event']['attributes'] =>
      decodeRecord(recordOf(id, eventOf(id)), 0).accepted.event.attributes
    const [first, second] = [attributes(1), attributes(2)]
    assert.notEqual(first[1], second[1])
    for (const i of [0, 2, 3, 4]) assert.equal(first[i], second[i], first[i]?.name)
  })

  test('never takes one text for another with the same hash', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[ab]{0,6}$/), { minLength: 2, maxLength: 50 }), texts => {
        // "Aa" and "BB" are the same to a hash that multiplies by 31.
        const collide = texts.map(one => one.replaceAll('a', 'Aa').replaceAll('b', 'BB'))
        const accepted = withAttributes(collide.map(one => ({ name: one, value: one })))
        assert.deepEqual(decodeRecord(recordOf(1, accepted), 0).accepted, accepted)
      })
    )
  })

  test('does not keep a chunk alive for a small body, and does not copy a large one', () => {
    const chunk = Buffer.concat([recordOf(1, eventOf(1)), recordOf(2, eventOf(2, { bytes: 10_000 }))])
    const small = decodeRecord(chunk, 0)
    const large = decodeRecord(chunk, small.size)
    assert.notEqual(small.accepted.event.data.buffer, chunk.buffer)
    assert.equal(large.accepted.event.data.buffer, chunk.buffer)
  })
})

describe('a record that is damaged', () => {
  test('is refused, whichever bit it is', () => {
    const bytes = recordOf(2 ** 33 + 5, eventOf(1))
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.throws(() => decodeRecord(damaged, 0), JournalFormatError, `bit ${bit}`)
    }
  })

  test('is refused when it is cut off anywhere', () => {
    const bytes = recordOf(1, eventOf(1))
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeRecord(bytes.subarray(0, length), 0), JournalFormatError, `after ${length} bytes`)
    }
    assert.throws(() => decodeRecord(bytes, bytes.length), JournalFormatError)
  })

  test('is refused, or read without leaving its bounds, when its CRC is right all the same', () => {
    const behind = Buffer.from('\0\0\0not its own')
    fc.assert(
      fc.property(
        acceptedEvent,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (accepted, changes, cut) => {
          const whole = recordOf(1, accepted)
          const payload = whole.length - RECORD_HEADER_BYTES
          const bytes = Buffer.concat([whole.subarray(0, RECORD_HEADER_BYTES + (cut % (payload + 1))), behind])
          const end = bytes.length - behind.length
          for (const [at, value] of changes) {
            if (end > RECORD_HEADER_BYTES) bytes[RECORD_HEADER_BYTES + (at % (end - RECORD_HEADER_BYTES))] = value
          }
          bytes.writeUInt32LE(end - RECORD_HEADER_BYTES, 0)
          bytes.writeUInt32LE(crc32(bytes.subarray(8, end)), 4)
          const read = attempt(() => decodeRecord(bytes, 0))
          assert.deepEqual(
            read,
            attempt(() => decodeRecord(bytes.subarray(0, end), 0)),
            'what follows is not looked at'
          )
          if (read !== undefined) assert.equal(read.size, end)
        }
      ),
      { numRuns: 3000 }
    )
  })

  test('with an attribute of a type that this version does not know is refused', () => {
    const bytes = recordOf(1, withValue(5))
    const type = bytes.indexOf('a-topic') + 'a-topic'.length + 1
    assert.equal(bytes[type], 2)
    for (const unknown of [4, 255]) {
      bytes[type] = unknown
      bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
      assert.throws(() => decodeRecord(bytes, 0), JournalFormatError)
    }
  })

  test('with a sequence that no writer has is refused', () => {
    const bytes = recordOf(1, eventOf(1))
    bytes.writeUInt32LE(0xffffffff, 12)
    bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
    assert.throws(() => decodeRecord(bytes, 0), JournalFormatError)
  })
})
