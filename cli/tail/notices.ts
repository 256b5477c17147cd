/** ms between two lines about the same thing. */
const EVERY_MS = 15_000

/** Says on standard error what is waited for: the first time at once, then now and then as long as it lasts. */
export class Notices {
  readonly #write: (line: string) => void
  readonly #now: () => number
  readonly #last = new Map<string, number>()

  /** @param now monotonic ms */
  constructor(write: (line: string) => void, now: () => number = () => performance.now()) {
    this.#write = write
    this.#now = now
  }

  /** @param about what is counted together; from a bounded set */
  say(about: string, text: string): void {
    const last = this.#last.get(about)
    const now = this.#now()
    if (last !== undefined && now - last < EVERY_MS) return
    this.#last.set(about, now)
    this.#write(text)
  }

  /** It is over. @returns whether it had been said */
  over(about: string): boolean {
    return this.#last.delete(about)
  }
}
