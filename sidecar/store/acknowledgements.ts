import { Fifo } from './fifo.ts'

/** A request that waits for Kafka to have its events. */
export interface Acknowledgement {
  /** Events that were not released yet. */
  remaining: number
  readonly deadline: number
  answered: boolean
  answer: () => void
  /** Makes the events as safe as they can be without Kafka, and then calls back; not when they are not safe. */
  secure: (done: () => void) => void
}

const NOTHING = (): void => {}

/**
 * Durability `kafka`: the reply waits until Kafka has the events, for a time; after that the journal, synced, answers for
 * them. When one was answered like that the next do not wait either, until Kafka acknowledges something again: KServe's
 * agent has five workers, and each that waits keeps others' events from being logged.
 */
export class Acknowledgements {
  readonly #timeoutMs: number
  readonly #now: () => number
  readonly #waiting = new Fifo<Acknowledgement>()
  #timer: NodeJS.Timeout | undefined
  #behind = false
  #stopped = false

  /** @param now monotonic ms */
  constructor(timeoutMs: number, now: () => number) {
    this.#timeoutMs = timeoutMs
    this.#now = now
  }

  /**
   * @param events how many have to be released
   * @param answer called once
   */
  wait(events: number, secure: (done: () => void) => void, answer: () => void): Acknowledgement {
    const deadline = this.#now() + this.#timeoutMs
    const acknowledgement = { remaining: events, deadline, answered: false, answer, secure }
    if (this.#behind || this.#stopped) this.#fallBack(acknowledgement)
    else {
      this.#waiting.push(acknowledgement)
      this.#arm()
    }
    return acknowledgement
  }

  /** One of the events was released: Kafka has it, or it was set aside. */
  released(acknowledgement: Acknowledgement): void {
    this.#behind = false
    this.givenUp(acknowledgement)
  }

  /** One of the events was dropped: it is not waited for, and says nothing about Kafka. */
  givenUp(acknowledgement: Acknowledgement): void {
    acknowledgement.remaining--
    if (acknowledgement.remaining === 0) this.#answer(acknowledgement)
  }

  /** Nobody waits any more; the process ends. What is being written is answered when it is. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#fallBack(next)
  }

  #answer(acknowledgement: Acknowledgement): void {
    if (acknowledgement.answered) return
    const { answer } = acknowledgement
    acknowledgement.answered = true
    // It stays in the queue until its time is over, and must not keep its events that long.
    acknowledgement.answer = acknowledgement.secure = NOTHING
    answer()
  }

  #fallBack(acknowledgement: Acknowledgement): void {
    if (acknowledgement.answered) return
    acknowledgement.secure(() => this.#answer(acknowledgement))
  }

  #arm(): void {
    const first = this.#waiting.peek()
    if (this.#timer !== undefined || first === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#expire()
      },
      Math.max(1, first.deadline - this.#now())
    )
  }

  #expire(): void {
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (!first.answered && first.deadline > this.#now()) break
      this.#waiting.shift()
      if (first.answered) continue
      this.#behind = true
      this.#fallBack(first)
    }
    this.#arm()
  }
}
