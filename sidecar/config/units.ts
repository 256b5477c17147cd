/** Thrown by the parsers of this folder: what a value may be, for the error that lists every mistake at once. */
export class ValueError extends Error {}

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 }
const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/**
 * Parses a size.
 * @param text plain bytes (`1048576`) or a number with `Ki`, `Mi` or `Gi` (`1Mi`), whole or with a fraction (`1.5Mi`)
 * @returns bytes, a positive integer
 * @throws {ValueError} when the text is no size
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|)$/.exec(text)
  const bytes = match === null ? NaN : Math.round(Number(match[1]) * (BYTE_UNITS[match[2] ?? ''] ?? NaN))
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new ValueError('a size in bytes: a positive number, plain or with Ki, Mi or Gi (10485760, 10Mi)')
  }
  return bytes
}

/**
 * Parses a length of time.
 * @param text a number with `ms`, `s` or `m` (`500ms`, `2s`, `1m`)
 * @returns milliseconds, an integer of at least 0 and at most 24 hours
 * @throws {ValueError} when the text is no length of time
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text)
  const ms = match === null ? NaN : Math.round(Number(match[1]) * (TIME_UNITS[match[2] ?? ''] ?? NaN))
  if (!(ms <= 86_400_000)) throw new ValueError('a time of at most 24 hours: a number with ms, s or m (500ms, 2s, 1m)')
  return ms
}

/**
 * Parses a length of time that is not zero.
 * @returns milliseconds
 * @throws {ValueError} when the text is no time
 */
export function parsePositiveDuration(text: string): number {
  const ms = parseDuration(text)
  if (ms === 0) throw new ValueError('a time above zero: a number with ms, s or m (500ms, 2s, 1m)')
  return ms
}

/**
 * Writes a size the way it is read: `10Mi`.
 * @param bytes a positive integer
 */
export function formatBytes(bytes: number): string {
  const unit = ['Gi', 'Mi', 'Ki'].find(name => bytes % (BYTE_UNITS[name] ?? 1) === 0) ?? ''
  return `${bytes / (BYTE_UNITS[unit] ?? 1)}${unit}`
}

/**
 * Makes a parser of whole numbers.
 * @param min smallest number allowed
 * @param max largest number allowed
 */
export function integer(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new ValueError(`a whole number from ${min} to ${max}`)
    }
    return value
  }
}

/**
 * Makes a parser that takes one of some words, exactly as written.
 * @param words the words allowed
 */
export function oneOf<const W extends string>(...words: readonly W[]): (text: string) => W {
  return text => {
    const found = words.find(word => word === text)
    if (found === undefined) throw new ValueError(`one of ${words.join(', ')}`)
    return found
  }
}

/** Parses `true` or `false`. */
export function parseBoolean(text: string): boolean {
  return oneOf('true', 'false')(text) === 'true'
}
