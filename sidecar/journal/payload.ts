import { crc32 } from 'node:zlib'
import type { Attribute, AttributeValue } from '../cloudevents/event.ts'
import type { AcceptedEvent } from '../store/store.ts'
import { JournalFormatError, RECORD_HEADER_BYTES, readU64, writeU64 } from './format.ts'

/** Bytes of a payload that has nothing in it: receivedAt, the length of a topic, the number of attributes. */
export const LEAST_PAYLOAD_BYTES = 10

// A length (of a string in bytes, or a number of attributes) is one byte, or this byte and a u32.
const LONG = 255
const LENGTH_BYTES = 5

const FALSE = 0
const TRUE = 1
const NUMBER = 2
const STRING = 3

/**
 * The most bytes that an event's record can take with its header. An upper bound that costs next to nothing: a string's
 * length in UTF-8 is only known when it is written.
 */
export function recordBytesBound(accepted: AcceptedEvent): number {
  const { attributes, data } = accepted.event
  let bytes = RECORD_HEADER_BYTES + 8 + 2 * LENGTH_BYTES + 3 * accepted.topic.length + data.length
  for (const { name, value } of attributes) {
    bytes += 1 + LENGTH_BYTES + 3 * name.length + (typeof value === 'string' ? LENGTH_BYTES + 3 * value.length : 8)
  }
  return bytes
}

/**
 * Writes an event as a record. The hot path: 1 us for KServe's attributes, of which the CRC is 0.3.
 * @param target has room for {@link recordBytesBound} from offset on
 * @returns where the record ends
 */
export function encodeRecord(target: Buffer, offset: number, sequence: number, accepted: AcceptedEvent): number {
  const { attributes, data } = accepted.event
  const start = offset + RECORD_HEADER_BYTES
  target.writeDoubleLE(accepted.receivedAt, start)
  let at = writeString(target, start + 8, accepted.topic)
  at = writeLength(target, at, attributes.length)
  for (let i = 0; i < attributes.length; i++) {
    // noUncheckedIndexedAccess knows no bounds; an iterator here costs a tenth of the function.
    const { name, value } = attributes[i] as Attribute
    if (typeof value === 'string') {
      target[at] = STRING
      at = writeString(target, at + 1, name)
      at = writeString(target, at, value)
    } else if (typeof value === 'number') {
      target[at] = NUMBER
      at = target.writeDoubleLE(value, writeString(target, at + 1, name))
    } else {
      target[at] = value ? TRUE : FALSE
      at = writeString(target, at + 1, name)
    }
  }
  target.set(data, at)
  const end = at + data.length
  target.writeUInt32LE(end - start, offset)
  writeU64(target, sequence, offset + 8)
  target.writeUInt32LE(crc32(target.subarray(offset + 8, end)), offset + 4)
  return end
}

/** Up to this length a loop is quicker than the call that does it for strings of any length. */
const LOOP_LENGTH = 100

function writeString(target: Buffer, offset: number, text: string): number {
  const { length } = text
  if (length <= LOOP_LENGTH) {
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) break
      target[offset + 1 + i] = code
    }
    if (i === length) {
      target[offset] = length
      return offset + 1 + length
    }
  }
  const bytes = target.write(text, offset + LENGTH_BYTES, 'utf8')
  target[offset] = LONG
  target.writeUInt32LE(bytes, offset + 1)
  return offset + LENGTH_BYTES + bytes
}

function writeLength(target: Buffer, offset: number, length: number): number {
  if (length < LONG) {
    target[offset] = length
    return offset + 1
  }
  target[offset] = LONG
  return target.writeUInt32LE(length, offset + 1)
}

/** A record that was read. */
export interface DecodedRecord {
  readonly sequence: number
  /** With its header, in bytes: the next one starts there. */
  readonly size: number
  readonly accepted: AcceptedEvent
}

const NO_DATA = Buffer.alloc(0)

/**
 * Reads a record. Attributes and names that recent records had too are the same objects.
 * @param bytes the event's data may be a view of it, when that is most of it: not to be written to afterwards
 * @throws {JournalFormatError} when it is incomplete, its CRC is wrong, or it is no record of this version
 */
export function decodeRecord(bytes: Buffer, offset: number): DecodedRecord {
  const start = offset + RECORD_HEADER_BYTES
  if (start > bytes.length) throw new JournalFormatError('the record is incomplete')
  const end = start + bytes.readUInt32LE(offset)
  if (end > bytes.length) throw new JournalFormatError('the record is incomplete')
  if (crc32(bytes.subarray(offset + 8, end)) !== bytes.readUInt32LE(offset + 4)) {
    throw new JournalFormatError('the CRC is wrong')
  }
  const sequence = readU64(bytes, offset + 8)
  if (!Number.isSafeInteger(sequence)) throw new JournalFormatError('the sequence is none')
  const cursor: Cursor = { bytes, at: start + 8, end }
  const topic = readString(cursor)
  const count = readLength(cursor)
  const attributes: Attribute[] = []
  for (let i = 0; i < count; i++) attributes.push(readAttribute(cursor))
  const data = cursor.at === end ? NO_DATA : ownMemory(bytes.subarray(cursor.at, end))
  const receivedAt = bytes.readDoubleLE(start)
  return { sequence, size: end - offset, accepted: { event: { attributes, data }, topic, receivedAt } }
}

/** A small body would keep all of what was read with it for as long as the event is pending. */
function ownMemory(data: Buffer): Buffer {
  return data.length * 2 < data.buffer.byteLength ? Buffer.from(data) : data
}

interface Cursor {
  readonly bytes: Buffer
  at: number
  readonly end: number
}

// Where a string is kept that may come again: a small one of recent records, by a hash of its bytes.
const KEPT = 512
const MAX_KEPT_BYTES = 256
const keptStrings: (string | undefined)[] = new Array<undefined>(KEPT).fill(undefined)
const keptAttributes: (Attribute | undefined)[] = new Array<undefined>(KEPT).fill(undefined)

function readAttribute(cursor: Cursor): Attribute {
  const { bytes } = cursor
  const type = readByte(cursor)
  const name = readString(cursor)
  if (type !== STRING) return { name, value: readScalar(cursor, type) }
  const length = readSpan(cursor)
  const from = cursor.at
  cursor.at += length
  if (length > MAX_KEPT_BYTES) return { name, value: bytes.toString('utf8', from, cursor.at) }
  const slot = hash(bytes, from, length, name.length) % KEPT
  const kept = keptAttributes[slot]
  if (kept?.name === name && isText(bytes, from, length, kept.value)) return kept
  const read = { name, value: bytes.toString('utf8', from, cursor.at) }
  keptAttributes[slot] = read
  return read
}

function readScalar(cursor: Cursor, type: number): AttributeValue {
  if (type === FALSE || type === TRUE) return type === TRUE
  if (type !== NUMBER || cursor.at + 8 > cursor.end) throw new JournalFormatError('an attribute has no value')
  cursor.at += 8
  return cursor.bytes.readDoubleLE(cursor.at - 8)
}

function readString(cursor: Cursor): string {
  const { bytes } = cursor
  const length = readSpan(cursor)
  const from = cursor.at
  cursor.at += length
  if (length > MAX_KEPT_BYTES) return bytes.toString('utf8', from, cursor.at)
  const slot = hash(bytes, from, length, 0) % KEPT
  const kept = keptStrings[slot]
  if (kept !== undefined && isText(bytes, from, length, kept)) return kept
  return (keptStrings[slot] = bytes.toString('utf8', from, cursor.at))
}

function hash(bytes: Buffer, from: number, length: number, seed: number): number {
  let result = seed
  for (let i = from; i < from + length; i++) result = (Math.imul(result, 31) + (bytes[i] ?? 0)) | 0
  return result >>> 0
}

/** Whether bytes are the UTF-8 of a text. Only known of ASCII: else the answer is no. */
function isText(bytes: Buffer, from: number, length: number, text: AttributeValue): boolean {
  if (typeof text !== 'string' || text.length !== length) return false
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code !== bytes[from + i] || code > 0x7f) return false
  }
  return true
}

/** The length of a string whose bytes follow, all of them. */
function readSpan(cursor: Cursor): number {
  const length = readLength(cursor)
  if (cursor.at + length > cursor.end) throw new JournalFormatError('a string is longer than its record')
  return length
}

function readLength(cursor: Cursor): number {
  const byte = readByte(cursor)
  if (byte !== LONG) return byte
  if (cursor.at + 4 > cursor.end) throw new JournalFormatError('a length is cut off')
  cursor.at += 4
  return cursor.bytes.readUInt32LE(cursor.at - 4)
}

function readByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.at]
  if (byte === undefined || cursor.at >= cursor.end) throw new JournalFormatError('a record is cut off')
  cursor.at++
  return byte
}

/** Where a record's topic is in its payload, without reading it; undefined when it does not fit into the record. */
export function topicSpan(bytes: Buffer, payload: number, end: number): { from: number; to: number } | undefined {
  const at = payload + 8
  if (at >= end) return undefined
  const byte = bytes[at] ?? 0
  if (byte === LONG && at + LENGTH_BYTES > end) return undefined
  const from = byte === LONG ? at + LENGTH_BYTES : at + 1
  const to = from + (byte === LONG ? bytes.readUInt32LE(at + 1) : byte)
  return to < end ? { from, to } : undefined
}
