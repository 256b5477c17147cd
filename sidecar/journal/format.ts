import { crc32 } from 'node:zlib'

/** Version of everything in this folder's files. A reader reads its own version and all before it. */
export const FORMAT_VERSION = 1
/** At the start of each segment. */
export const SEGMENT_HEADER_BYTES = 64
/** Before each record's payload: u32 length of the payload, u32 CRC-32 of sequence and payload, u64 sequence. */
export const RECORD_HEADER_BYTES = 16
/** An entry of a `.released` file. */
export const RELEASE_ENTRY_BYTES = 16
export const SEGMENT_SUFFIX = '.journal'
export const RELEASED_SUFFIX = '.released'

/** A file, or a record in it, is not what this version writes. */
export class JournalFormatError extends Error {
  override readonly name = 'JournalFormatError'
}

/** What a segment says about itself. */
export interface SegmentHeader {
  readonly version: number
  /** Of the first record, as the file's name has it. */
  readonly firstSequence: number
  /** Of the process that wrote it: 16 hexadecimal digits, random. */
  readonly run: string
  /** ms since 1970. */
  readonly createdAt: number
}

/**
 * - `torn`: shorter than a header, or zeros: the process ended just after it had created the file
 * - `newer`: of a later version, which is given
 * - `corrupt`: anything else
 */
export interface SegmentHeaderProblem {
  readonly problem: 'torn' | 'corrupt' | 'newer'
  readonly version?: number
}

const SEQUENCE_DIGITS = 20

/** The file name of the segment that starts with a sequence. Names sort as their sequences do. */
export function segmentName(firstSequence: number): string {
  return `${String(firstSequence).padStart(SEQUENCE_DIGITS, '0')}${SEGMENT_SUFFIX}`
}

/** The sequence in a segment's file name; undefined when it is no such name. */
export function sequenceOfName(name: string): number | undefined {
  if (name.length !== SEQUENCE_DIGITS + SEGMENT_SUFFIX.length || !name.endsWith(SEGMENT_SUFFIX)) return undefined
  const digits = name.slice(0, SEQUENCE_DIGITS)
  const sequence = Number(digits)
  return /^[0-9]+$/.test(digits) && Number.isSafeInteger(sequence) ? sequence : undefined
}

// Magic and version are where they are in every version: by them a reader knows what it must leave alone.
const MAGIC = Buffer.from('ILJOURNL', 'latin1')
const VERSION_AT = 8
const FIRST_SEQUENCE_AT = 16
const CREATED_AT = 24
const RUN_AT = 32
const RUN_BYTES = 8
const CRC_AT = SEGMENT_HEADER_BYTES - 4

/** The bytes at the start of a segment. */
export function encodeSegmentHeader(header: Omit<SegmentHeader, 'version'>): Buffer {
  if (!/^[0-9a-f]{16}$/.test(header.run)) throw new RangeError(`a run is 16 hexadecimal digits, not ${header.run}`)
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(FORMAT_VERSION, VERSION_AT)
  writeU64(bytes, header.firstSequence, FIRST_SEQUENCE_AT)
  writeU64(bytes, Math.floor(header.createdAt), CREATED_AT)
  bytes.write(header.run, RUN_AT, 'hex')
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT)
  return bytes
}

/** Reads the start of a segment. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | SegmentHeaderProblem {
  if (bytes.length < SEGMENT_HEADER_BYTES) return { problem: 'torn' }
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES)
  if (isZero(header, 0, header.length)) return { problem: 'torn' }
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return { problem: 'corrupt' }
  const version = header.readUInt16LE(VERSION_AT)
  if (version > FORMAT_VERSION) return { problem: 'newer', version }
  const firstSequence = readU64(header, FIRST_SEQUENCE_AT)
  const createdAt = readU64(header, CREATED_AT)
  if (
    version === 0 ||
    crc32(header.subarray(0, CRC_AT)) !== header.readUInt32LE(CRC_AT) ||
    !Number.isSafeInteger(firstSequence) ||
    !Number.isSafeInteger(createdAt)
  ) {
    return { problem: 'corrupt' }
  }
  return { version, firstSequence, run: header.toString('hex', RUN_AT, RUN_AT + RUN_BYTES), createdAt }
}

const TWO_TO_32 = 2 ** 32

/** Writes a safe integer that is not negative, little endian. */
export function writeU64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % TWO_TO_32, offset)
  bytes.writeUInt32LE(Math.floor(value / TWO_TO_32), offset + 4)
}

/** Reads an integer, little endian. Beyond Number.MAX_SAFE_INTEGER it is not exact, and not safe. */
export function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * TWO_TO_32
}

/** Whether bytes are all zero: what a file system leaves of a write whose data did not get to the disk. */
export function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}

/** A run of released records of a segment: where the first one starts, and the length of all of them in bytes. */
export type ReleasedRange = readonly [offset: number, length: number]

/**
 * Entries to add to the `.released` file of a segment.
 * @param salt a safe integer that is the segment's own: an entry is valid beside that segment only
 */
export function encodeReleases(salt: number, ranges: readonly ReleasedRange[]): Buffer {
  const bytes = Buffer.alloc(ranges.length * RELEASE_ENTRY_BYTES)
  ranges.forEach(([offset, length], i) => {
    const at = i * RELEASE_ENTRY_BYTES
    bytes.writeUInt32LE(offset, at)
    bytes.writeUInt32LE(length, at + 4)
    bytes.writeUInt32LE(releaseCrc(salt, bytes, at), at + 8)
  })
  return bytes
}

/**
 * Reads a `.released` file up to the first entry that is incomplete or wrong: what is not read there is delivered once
 * more, while a wrong range would lose records.
 */
export function decodeReleases(salt: number, bytes: Buffer): [offset: number, length: number][] {
  const ranges: [number, number][] = []
  for (let at = 0; at + RELEASE_ENTRY_BYTES <= bytes.length; at += RELEASE_ENTRY_BYTES) {
    const offset = bytes.readUInt32LE(at)
    const length = bytes.readUInt32LE(at + 4)
    if (bytes.readUInt32LE(at + 8) !== releaseCrc(salt, bytes, at) || bytes.readUInt32LE(at + 12) !== 0) break
    if (offset < SEGMENT_HEADER_BYTES || length < RECORD_HEADER_BYTES || offset + length > TWO_TO_32) break
    ranges.push([offset, length])
  }
  return ranges
}

const saltBytes = Buffer.alloc(8)

function releaseCrc(salt: number, bytes: Buffer, at: number): number {
  writeU64(saltBytes, salt, 0)
  return crc32(saltBytes, crc32(bytes.subarray(at, at + 8)))
}
