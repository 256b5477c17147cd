import type { StoreDropReason } from './store/store.ts'

/** A line per reason and minute. */
const EVERY_MS = 60_000

/** What to do about events that the store gave up. */
const ADVICE: Readonly<Record<StoreDropReason, string>> = {
  queue_full:
    'the oldest events were dropped for new ones, as INFERENCE_LOGGER_WHEN_FULL=drop-oldest wants it: Kafka does not take them; check Kafka, or raise the bound',
  journal_unreadable: 'events were dropped that could not be read back from the journal: check the node’s disk'
}

/** Logs how many events the store gave up: the first at once, then once a minute how many there were since the last line. */
export class DropLog {
  readonly #log: (fields: object, message: string) => void
  readonly #sinceLastLine = new Map<StoreDropReason, number>()

  constructor(log: (fields: object, message: string) => void) {
    this.#log = log
  }

  /** Counts dropped events. */
  add(reason: StoreDropReason, events: number): void {
    const waiting = this.#sinceLastLine.get(reason)
    this.#sinceLastLine.set(reason, (waiting ?? 0) + events)
    if (waiting === undefined) this.#write(reason)
  }

  #write(reason: StoreDropReason): void {
    const events = this.#sinceLastLine.get(reason) ?? 0
    if (events === 0) {
      this.#sinceLastLine.delete(reason)
      return
    }
    this.#sinceLastLine.set(reason, 0)
    this.#log({ reason, events }, ADVICE[reason])
    setTimeout(() => this.#write(reason), EVERY_MS).unref()
  }
}
