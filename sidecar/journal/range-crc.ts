import { crc32 } from 'node:zlib'

const POLYNOMIAL = 0xedb88320
const BLOCK_BYTES = 512

/** a * b modulo the polynomial, bits reflected as in zlib's crc32_combine. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let mask = 0x80000000; mask !== 0; mask >>>= 1) {
    if ((a & mask) !== 0) product ^= b
    b = (b & 1) === 0 ? b >>> 1 : (b >>> 1) ^ POLYNOMIAL
  }
  return product >>> 0
}

/** For each byte of a length in bytes, and each value of it, x to the power of as many bits. */
const POWERS: readonly Uint32Array[] = [0, 1, 2, 3].map(byte => {
  const table = new Uint32Array(256)
  table[0] = 0x80000000
  let step = 0x40000000
  for (let doubling = 0; doubling < 3 + 8 * byte; doubling++) step = multiply(step, step)
  for (let i = 1; i < table.length; i++) table[i] = multiply(table[i - 1] ?? 0, step)
  return table
})

/** What the CRC of some bytes adds to the CRC of the same bytes and `length` more. */
function shift(crc: number, length: number): number {
  let shifted = crc
  for (let byte = 0, rest = length; rest !== 0; byte++, rest >>>= 8) {
    if ((rest & 0xff) !== 0) shifted = multiply(POWERS[byte]?.[rest & 0xff] ?? 0, shifted)
  }
  return shifted
}

/**
 * CRC-32 of any range of the same bytes, at a cost that does not depend on its length. What looks for records in damaged
 * bytes would else take the square of their length when they consist of what looks like starts of long records.
 */
export class RangeCrc {
  readonly #bytes: Buffer
  /** CRC of all bytes before each block. */
  readonly #before: number[] = [0]

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  of(from: number, to: number): number {
    if (to - from <= 4 * BLOCK_BYTES) return crc32(this.#bytes.subarray(from, to))
    return (this.#prefix(to) ^ shift(this.#prefix(from), to - from)) >>> 0
  }

  /** CRC of the first bytes. */
  #prefix(length: number): number {
    const block = Math.floor(length / BLOCK_BYTES)
    for (let known = this.#before.length; known <= block; known++) {
      const start = (known - 1) * BLOCK_BYTES
      this.#before.push(crc32(this.#bytes.subarray(start, start + BLOCK_BYTES), this.#before[known - 1] ?? 0))
    }
    return crc32(this.#bytes.subarray(block * BLOCK_BYTES, length), this.#before[block] ?? 0)
  }
}
