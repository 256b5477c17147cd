import { crc32 } from 'node:zlib'
import { decodeSegmentHeader, isZero, readU64, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts'
import { LEAST_PAYLOAD_BYTES, topicSpan } from './payload.ts'
import { RangeCrc } from './range-crc.ts'

/** A valid record of a segment: what is known of it without reading it whole. */
export interface ScannedRecord {
  /** Where it starts in the file: what tells it from the segment's other records. */
  readonly offset: number
  /** With its header, in bytes. */
  readonly size: number
  readonly sequence: number
  /** ms since 1970. */
  readonly receivedAt: number
  readonly topic: string
}

/** Bytes that are no record, between records or after the last one. */
export interface CorruptRegion {
  readonly offset: number
  readonly length: number
  /** How many records were lost there, at least. */
  readonly records: number
}

export interface ScanResult {
  /** Valid records. */
  readonly records: number
  /** Where the last valid record ends. */
  readonly validBytes: number
  readonly corrupt: readonly CorruptRegion[]
  /** The start of a record that was being written when the process or the machine ended. */
  readonly torn: { readonly offset: number; readonly length: number } | undefined
}

/** Sequences of one segment are never so far beyond its first: what is, was not written. */
const SEQUENCE_SPAN = 2 ** 40
const LEAST_RECORD_BYTES = RECORD_HEADER_BYTES + LEAST_PAYLOAD_BYTES

/**
 * Finds every record of a segment that is as it was written, however damaged the bytes between them are. The time it
 * takes grows with the file's length, whatever is in it.
 *
 * Records are shown in the order of the file. Sequences mostly grow in it; nothing is left out where they do not.
 * @param bytes the whole file. A header that does not decode is skipped; whether to scan at all is the caller's choice
 */
export function scanSegment(bytes: Buffer, onRecord: (record: ScannedRecord) => void): ScanResult {
  const header = decodeSegmentHeader(bytes)
  const first = 'problem' in header ? 0 : header.firstSequence
  const corrupt: CorruptRegion[] = []
  const topics = new TopicReader(bytes)
  let ranges: RangeCrc | undefined
  let records = 0
  let last = first - 1
  let validBytes = Math.min(SEGMENT_HEADER_BYTES, bytes.length)
  let at = validBytes
  while (bytes.length - at >= LEAST_RECORD_BYTES) {
    const size = plausibleSize(bytes, at, first)
    const intact = at === validBytes
    if (size === 0 || crcOf(at, at + size, intact) !== bytes.readUInt32LE(at + 4)) {
      at++
      continue
    }
    const sequence = readU64(bytes, at + 8)
    if (!intact) {
      const length = at - validBytes
      corrupt.push({ offset: validBytes, length, records: lostBetween(last, sequence, length) })
    }
    const payload = at + RECORD_HEADER_BYTES
    onRecord({
      offset: at,
      size,
      sequence,
      receivedAt: bytes.readDoubleLE(payload),
      topic: topics.read(payload, at + size)
    })
    records++
    last = sequence
    at += size
    validBytes = at
  }
  const rest = { offset: validBytes, length: bytes.length - validBytes }
  if (rest.length === 0) return { records, validBytes, corrupt, torn: undefined }
  if (isTorn(bytes, validBytes, first)) return { records, validBytes, corrupt, torn: rest }
  return { records, validBytes, corrupt: [...corrupt, { ...rest, records: 1 }], torn: undefined }

  function crcOf(from: number, to: number, intact: boolean): number {
    if (intact) return crc32(bytes.subarray(from + 8, to))
    return (ranges ??= new RangeCrc(bytes)).of(from + 8, to)
  }
}

/** The size of the record that may start here; 0 when none can, which is known of nearly all bytes without a CRC. */
function plausibleSize(bytes: Buffer, offset: number, first: number): number {
  const payload = offset + RECORD_HEADER_BYTES
  const length = bytes.readUInt32LE(offset)
  if (length < LEAST_PAYLOAD_BYTES || length > bytes.length - payload) return 0
  if (!isPlausible(readU64(bytes, offset + 8), first)) return 0
  return topicSpan(bytes, payload, payload + length) === undefined ? 0 : RECORD_HEADER_BYTES + length
}

function isPlausible(sequence: number, first: number): boolean {
  return sequence - first < SEQUENCE_SPAN && Number.isSafeInteger(sequence)
}

function lostBetween(last: number, next: number, length: number): number {
  const gap = next - last - 1
  return gap >= 1 && gap * LEAST_RECORD_BYTES <= length ? gap : 1
}

/** Whether the end of a file is what a crash leaves. */
function isTorn(bytes: Buffer, offset: number, first: number): boolean {
  const length = bytes.length - offset
  if (length < RECORD_HEADER_BYTES || isZero(bytes, offset, bytes.length)) return true
  return bytes.readUInt32LE(offset) > length - RECORD_HEADER_BYTES && isPlausible(readU64(bytes, offset + 8), first)
}

/** Most records have the topic of the one before: one string for all of these. */
class TopicReader {
  readonly #bytes: Buffer
  #from = 0
  #length = -1
  #topic = ''

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(payload: number, end: number): string {
    const { from, to } = topicSpan(this.#bytes, payload, end) ?? { from: payload, to: payload }
    if (!this.#isSame(from, to - from)) {
      this.#topic = this.#bytes.toString('utf8', from, to)
      this.#from = from
      this.#length = to - from
    }
    return this.#topic
  }

  #isSame(from: number, length: number): boolean {
    if (length !== this.#length) return false
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== this.#bytes[this.#from + i]) return false
    return true
  }
}

/** Which records of a segment are released, by their offsets. */
export class ReleasedRanges {
  /** Sorted, apart from each other: starts and ends. */
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  constructor(ranges: readonly (readonly [offset: number, length: number])[]) {
    for (const [offset, length] of [...ranges].sort(([a], [b]) => a - b)) {
      const known = this.#ends.at(-1)
      if (known !== undefined && offset <= known) this.#ends[this.#ends.length - 1] = Math.max(known, offset + length)
      else {
        this.#starts.push(offset)
        this.#ends.push(offset + length)
      }
    }
  }

  /** Whether the byte at an offset is in a released range. */
  has(offset: number): boolean {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] ?? 0) <= offset) low = middle + 1
      else high = middle
    }
    return low > 0 && offset < (this.#ends[low - 1] ?? 0)
  }
}
