import type { Journal } from '../journal/journal.ts'
import type { JournalObserver } from '../journal/observer.ts'
import type { PendingEvent } from './pending-event.ts'

/** What healing asks of the store. */
export interface HealingOwner {
  /** undefined while it cannot be opened. */
  readonly openJournal: Journal | undefined
  /** @throws {Error} when it still cannot be opened */
  open(): Journal
  /** Pending events that are not in the journal, oldest first. */
  memoryOnly(): Iterable<PendingEvent>
  /** Whether events fit into the journal, by giving up older ones where the store may. */
  hasRoom(journal: Journal, events: readonly PendingEvent[]): boolean
  /** The journal works, and everything that is pending is in it. */
  healed(): void
}

/** Between attempts at a journal that fails, ms. */
const RETRY_MS = 1000
/** Events that are put into the journal together when it works again. */
const REJOURNAL_EVENTS = 500

/** Tries a journal that fails again and again, and puts into it what was accepted without it. */
export class Healing {
  readonly #owner: HealingOwner
  readonly #observer: JournalObserver
  #failing = false
  /** Events that were accepted without the journal are being written to it. */
  #rejournaling = false
  #retry: NodeJS.Timeout | undefined
  #stopped = false

  constructor(owner: HealingOwner, observer: JournalObserver) {
    this.#owner = owner
    this.#observer = observer
  }

  /** Whether the journal does not work, or lacks events that are pending. */
  get isFailing(): boolean {
    return this.#failing
  }

  /** The journal does not work. @param during see {@link JournalObserver.failed} */
  fail(error: Error, during: string): void {
    this.#observer.failed(error, during)
    this.#failing = true
    this.#tryLater()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
  }

  #tryLater(): void {
    if (this.#stopped) return
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.#heal()
    }, RETRY_MS)
  }

  #heal(): void {
    if (this.#rejournaling) return this.#tryLater()
    let journal = this.#owner.openJournal
    try {
      journal ??= this.#owner.open()
      const [first] = this.#owner.memoryOnly()
      journal.probe(first?.sequence ?? journal.nextSequence())
    } catch (error) {
      return this.fail(error as Error, journal === undefined ? 'open' : 'write')
    }
    this.#rejournal(journal, 0)
  }

  /** @param already how many events were written before */
  #rejournal(journal: Journal, already: number): void {
    const events: PendingEvent[] = []
    for (const event of this.#owner.memoryOnly()) if (events.push(event) === REJOURNAL_EVENTS) break
    if (events.length === 0) return this.#healed(already)
    if (!this.#owner.hasRoom(journal, events)) return this.fail(new Error('the journal is full'), 'heal')
    this.#rejournaling = true
    journal.append(events, error => {
      this.#rejournaling = false
      if (error !== undefined) return this.fail(error, 'write')
      for (const event of events) if (event.released) journal.release(event)
      this.#rejournal(journal, already + events.length)
    })
  }

  #healed(rejournaled: number): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#failing = false
    this.#owner.healed()
    this.#observer.healed(rejournaled)
  }
}
