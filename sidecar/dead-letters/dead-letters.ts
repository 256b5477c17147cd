import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, type BackoffBounds } from '../delivery/backoff.ts'
import type { Refusal } from '../delivery/delivery.ts'
import type { RecordOptions } from '../records/build.ts'
import type { StoredEvent } from '../store/store.ts'
import { LetterFiles } from './files.ts'
import { encodeLetter } from './letter.ts'
import type { DeadLetterObserver } from './observer.ts'
import type { DeadLetterTopic } from './topic.ts'

/** What the dead letters need. */
export interface DeadLetterOptions {
  /** Where their files are; made when it is needed. */
  readonly folder: string
  /** Bound of the files, in bytes; one letter may be larger. */
  readonly maxBytes: number
  /**
   * Whether an event waits for a folder that cannot be opened: then it is in the journal, and safe. Where it is in memory
   * only it would stand in the way of others for nothing.
   */
  readonly waitForFolder: boolean
  /** How events were to look in Kafka: the configuration. */
  readonly record: RecordOptions
  readonly observer: DeadLetterObserver
  /** Gets a note of each dead letter. It is closed together with this. */
  readonly topic: Pick<DeadLetterTopic, 'send' | 'close'> | undefined
  /** ms since 1970 */
  readonly now?: () => number
  readonly random?: () => number
}

interface Waiting {
  readonly stored: StoredEvent
  readonly refusal: Refusal
  readonly done: (kept: boolean) => void
}

const BACKOFF: BackoffBounds = { first: 200, max: 30_000 }

/** How often the files are looked at without a reason: a replay, another process, makes them smaller. In ms. */
const LOOK_MS = 30_000

/**
 * Keeps events that Kafka refuses for good, whole, in files. What waits to be written has no bound here: delivery stops
 * taking events of a topic whose refused ones are not kept.
 */
export class DeadLetters {
  readonly limitBytes: number
  readonly #o: DeadLetterOptions
  readonly #files: LetterFiles
  readonly #now: () => number
  readonly #random: () => number
  readonly #closed = new AbortController()
  readonly #looking: NodeJS.Timeout
  #waiting: Waiting[] = []
  #isWorking = false
  #failures = 0
  /** The work on the files that is under way; one thing at a time. */
  #work: Promise<void>

  /** Never fails: what is wrong with the folder shows when something is to be written. */
  static open(options: DeadLetterOptions): DeadLetters {
    return new DeadLetters(options)
  }

  private constructor(options: DeadLetterOptions) {
    this.#o = options
    this.limitBytes = options.maxBytes
    this.#now = options.now ?? Date.now
    this.#random = options.random ?? Math.random
    this.#files = new LetterFiles(options.folder, options.maxBytes, this.#now, letters =>
      options.observer.discarded(letters)
    )
    this.#work = this.#look()
    this.#looking = setInterval(() => {
      if (!this.#isWorking) this.#work = this.#work.then(() => this.#look())
    }, LOOK_MS).unref()
  }

  /** Size of the files, as of the last write or of half a minute ago. */
  get bytes(): number {
    return this.#files.bytes
  }

  /**
   * Keeps an event.
   * @param done called once: true when it is on the disk, false when it is given up. Never called when the end comes first
   */
  keep(stored: StoredEvent, refusal: Refusal, done: (kept: boolean) => void): void {
    this.#waiting.push({ stored, refusal, done })
    if (this.#isWorking || this.#closed.signal.aborted) return
    this.#isWorking = true
    this.#work = this.#work.then(() => this.#writeAll())
  }

  /** Ends, after a write that is under way. Events that wait stay pending. */
  async close(): Promise<void> {
    clearInterval(this.#looking)
    this.#closed.abort()
    await this.#work
    await this.#o.topic?.close()
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closed.signal.aborted) {
      const { letters, lines } = this.#nextBatch()
      if (letters.length === 0) continue
      try {
        await this.#files.append(Buffer.concat(lines))
      } catch (error) {
        this.#waiting.unshift(...letters)
        await this.#failed(error as Error)
        continue
      }
      this.#failures = 0
      for (const letter of letters) this.#finish(letter, true)
    }
    this.#isWorking = false
  }

  /** As many as are worth writing together, at least one. What cannot be written down at all is given up here. */
  #nextBatch(): { letters: Waiting[]; lines: Buffer[] } {
    const letters: Waiting[] = []
    const lines: Buffer[] = []
    let bytes = 0
    while (this.#waiting.length > 0 && (lines.length === 0 || bytes < this.#files.batchBytes)) {
      const next = this.#waiting.shift() as Waiting
      try {
        const line = encodeLetter(next.stored, next.refusal, this.#o.record, this.#now())
        lines.push(line)
        letters.push(next)
        bytes += line.length
      } catch (error) {
        // Base64 of it is longer than a string may be.
        this.#o.observer.failed(error as Error, 0, 1)
        this.#finish(next, false)
      }
    }
    return { letters, lines }
  }

  async #failed(error: Error): Promise<void> {
    if (!this.#o.waitForFolder && !this.#files.isPrepared) {
      const lost = this.#waiting
      this.#waiting = []
      this.#o.observer.failed(error, 0, lost.length)
      for (const letter of lost) this.#finish(letter, false)
      return
    }
    this.#o.observer.failed(error, this.#waiting.length, 0)
    const delay = backoffMs(++this.#failures, BACKOFF, this.#random())
    await sleep(delay, undefined, { signal: this.#closed.signal, ref: false }).catch(() => {})
  }

  #finish({ stored, refusal, done }: Waiting, kept: boolean): void {
    this.#o.topic?.send(stored, refusal)
    done(kept)
  }

  /** What cannot be looked at cannot be written either, and is told of then. */
  #look(): Promise<void> {
    return this.#files.look().catch(() => {})
  }
}
