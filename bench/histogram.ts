/** Times in steps of a microsecond up to half a second, and one more step for what took longer. */
export class Histogram {
  #counts = new Uint32Array(500_001)
  #total = 0

  add(milliseconds: number): void {
    const us = (milliseconds * 1000) | 0
    const step = us < 500_000 ? us : 500_000
    this.#counts[step] = (this.#counts[step] ?? 0) + 1
    this.#total++
  }

  /**
   * @param share between 0 and 1: 0.99 for the 99th percentile
   * @returns milliseconds; 500 for half a second and longer; NaN without samples
   */
  quantile(share: number): number {
    if (this.#total === 0) return NaN
    let left = Math.ceil(this.#total * share)
    for (let us = 0; us < this.#counts.length; us++) {
      left -= this.#counts[us] ?? 0
      if (left <= 0) return us / 1000
    }
    return 500
  }
}

/** The middle value, or the mean of the two middle ones; NaN without values. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}
