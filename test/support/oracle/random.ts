import { seededRandom } from '../kserve-agent/random.ts'

/** Random choices that follow from a seed. */
export class Random {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = seededRandom(seed)
  }

  /** Of the same seed for another purpose: two neighbouring seeds or numbers give unrelated ones. */
  static of(seed: number, ...numbers: number[]): Random {
    let hash = 0
    for (const number of [seed, ...numbers]) {
      // Not commutative: seed 5 with number 2 is not seed 6 with number 1.
      hash = Math.imul(hash + number + 1, 0x9e37_79b1)
      hash ^= hash >>> 15
    }
    return new Random(hash)
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#next()
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.#next() < probability
  }

  /** One of these, each as often as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.#next() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of choices) if ((left -= weight) < 0) return choice
    const last = choices.at(-1)
    if (last === undefined) throw new RangeError('nothing to choose from')
    return last[1]
  }

  /** One of these, each as often. */
  one<T>(choices: readonly T[]): T {
    return this.weighted(choices.map(choice => [1, choice]))
  }
}
