import { ValueError } from '../../sidecar/config/units.ts'

const BINARY: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }
const DECIMAL: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }

/** A resource quantity: as it was written, and as a number to compare with. */
export interface Quantity {
  readonly text: string
  /** Bytes, or cores. */
  readonly value: number
}

/**
 * Parses an amount of CPU as Kubernetes does.
 * @param text `50m`, `1`, `0.5`
 * @throws {ValueError} when it is none, or zero
 */
export function parseCpu(text: string): Quantity {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text)
  const value = match === null ? 0 : Number(match[1]) / (match[2] === 'm' ? 1000 : 1)
  if (!(value > 0 && value <= 1000)) throw new ValueError('an amount of CPU: 100m, 0.5 or 1')
  return { text, value }
}

/** The least that the sidecar starts with. */
const LEAST_MEMORY = 64 * 2 ** 20

/**
 * Parses an amount of memory as Kubernetes does, of at least 64Mi.
 * @param text `128Mi`, `200M`, `134217728`
 * @throws {ValueError} when it is none, or too small to run in
 */
export function parseMemory(text: string): Quantity {
  const value = parseBytesQuantity(text)
  if (value === undefined || value < LEAST_MEMORY) {
    throw new ValueError('an amount of memory of at least 64Mi: 128Mi, 1Gi or 200M')
  }
  return { text, value }
}

/** @returns bytes; undefined when it is no such quantity */
export function parseBytesQuantity(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text)
  const factor = match === null ? undefined : (BINARY[match[2] ?? ''] ?? DECIMAL[match[2] ?? ''])
  if (match === null || factor === undefined) return undefined
  const value = Math.ceil(Number(match[1]) * factor)
  return Number.isSafeInteger(value) ? value : undefined
}
