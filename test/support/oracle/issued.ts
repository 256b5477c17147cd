/** What became of an issued event at the sender's end. */
export const outcomes = ['never sent', 'no answer', 'refused', 'accepted'] as const
export type Outcome = (typeof outcomes)[number]

/** What the oracle knows of every event that it has issued. Numbers count from 0 without a gap. */
export class Issued {
  #outcomes = new Uint8Array(1024)
  #sentAt = new Float64Array(1024)
  #answeredAt = new Float64Array(1024)
  #count = 0
  /** Answers other than 200, by status. */
  readonly refusals = new Map<number, number>()

  /** Events that were sent or tried to. */
  get count(): number {
    return this.#count
  }

  outcome(number: number): Outcome {
    return outcomes[this.#outcomes[number] ?? 0] ?? 'never sent'
  }

  /** How many events had this outcome. */
  tally(outcome: Outcome): number {
    const wanted = outcomes.indexOf(outcome)
    let count = 0
    for (let number = 0; number < this.#count; number++) if (this.#outcomes[number] === wanted) count++
    return count
  }

  /** The numbers of the events that were answered 200. */
  *accepted(): Iterable<number> {
    const wanted = outcomes.indexOf('accepted')
    for (let number = 0; number < this.#count; number++) if (this.#outcomes[number] === wanted) yield number
  }

  /** When the request went out, in ms of performance.now(). */
  sentAt(number: number): number {
    return this.#sentAt[number] ?? NaN
  }

  /** When its answer came; NaN when none did. */
  answeredAt(number: number): number {
    return this.#answeredAt[number] || NaN
  }

  /** The request with the events from `first` on is about to go out. */
  sending(first: number, count: number): void {
    const now = performance.now()
    this.#count = Math.max(this.#count, first + count)
    if (this.#count > this.#outcomes.length) this.#grow()
    this.#sentAt.fill(now, first, first + count)
    this.#outcomes.fill(outcomes.indexOf('no answer'), first, first + count)
  }

  answered(first: number, count: number, status: number): void {
    this.#answeredAt.fill(performance.now(), first, first + count)
    this.#outcomes.fill(outcomes.indexOf(status === 200 ? 'accepted' : 'refused'), first, first + count)
    if (status !== 200) this.refusals.set(status, (this.refusals.get(status) ?? 0) + count)
  }

  /** Nothing of the request went out. */
  notSent(first: number, count: number): void {
    this.#outcomes.fill(outcomes.indexOf('never sent'), first, first + count)
  }

  #grow(): void {
    const length = this.#count * 2
    const [before, sentAt, answeredAt] = [this.#outcomes, this.#sentAt, this.#answeredAt]
    this.#outcomes = new Uint8Array(length)
    this.#outcomes.set(before)
    this.#sentAt = new Float64Array(length)
    this.#sentAt.set(sentAt)
    this.#answeredAt = new Float64Array(length)
    this.#answeredAt.set(answeredAt)
  }
}
