/** Bounds of the wait between two attempts, in ms. */
export interface BackoffBounds {
  readonly first: number
  readonly max: number
}

/**
 * How long to wait before the next attempt: doubling, with full jitter in the upper half so that pods that failed
 * together do not come back together.
 * @param attempt failures in a row, from 1
 * @param random a number in [0, 1)
 * @returns ms
 */
export function backoffMs(attempt: number, { first, max }: BackoffBounds, random: number): number {
  const ceiling = Math.min(max, first * 2 ** Math.min(attempt - 1, 30))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
