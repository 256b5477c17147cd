import type { KafkaError } from '../kafka/errors.ts'
import type { RecordProducer } from '../kafka/producer.ts'
import { backoffMs, type BackoffBounds } from './backoff.ts'
import type { Delivery as InFlight } from './lane.ts'
import { Watchdog } from './watchdog.ts'

/** Callbacks that delivery hands to the producer it has made. */
export interface ProducerCallbacks {
  readonly onReport: (token: InFlight, error: KafkaError | undefined) => void
  readonly onFatal: (error: KafkaError) => void
}

/** What {@link Producers} needs. */
export interface ProducersOptions {
  readonly create: (callbacks: ProducerCallbacks) => Promise<RecordProducer<InFlight>>
  readonly onReport: ProducerCallbacks['onReport']
  /** A producer was given up for this error; what it had in flight is handed back. */
  readonly onGivenUp: (error: KafkaError, inFlight: readonly InFlight[]) => void
  /** There is a producer again. */
  readonly onReplaced: () => void
  /** ms without a report after which the watchdog acts */
  readonly stallTimeoutMs: number
  readonly random: () => number
}

const REBUILD_BACKOFF: BackoffBounds = { first: 500, max: 30_000 }

/** The producer in use, and its replacement by a new one when it is beyond repair. */
export class Producers {
  readonly #options: ProducersOptions
  readonly #watchdog: Watchdog
  #current: RecordProducer<InFlight> | undefined
  /** Producers made so far: tells the one in use from those before. */
  #made = 0
  /** Producers replaced since the last delivery. */
  #rebuilds = 0
  #replacing: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: ProducersOptions) {
    this.#options = options
    this.#watchdog = new Watchdog(options.stallTimeoutMs)
  }

  /** undefined while it is replaced, and after the stop. */
  get current(): RecordProducer<InFlight> | undefined {
    return this.#current
  }

  /** @throws {Error} when the producer's properties cannot work, whatever Kafka says */
  async start(): Promise<void> {
    this.#current = await this.#create()
  }

  /** Ends the producer. Nothing it had in flight is handed back. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#replacing)
    const producer = this.#current
    this.#current = undefined
    producer?.abandon()
    await producer?.close()
  }

  /** Replaces the producer. Its connections are made anew, and everything in flight is handed back. */
  rebuild(error: KafkaError): void {
    const producer = this.#current
    if (producer === undefined) return
    this.#current = undefined
    const inFlight = producer.abandon()
    void producer.close()
    this.#options.onGivenUp(error, inFlight)
    this.#replaceLater()
  }

  /** Kafka has taken a record: what broke the last producer is over. */
  delivered(): void {
    this.#rebuilds = 0
  }

  /**
   * Looks whether the producer is still alive; to be called every now and then.
   * @param topicInFlight topic of a record that is in flight; undefined when nothing is
   * @param now monotonic ms
   */
  watch(topicInFlight: string | undefined, now: number): void {
    const producer = this.#current
    if (producer === undefined) return
    if (!this.#watchdog.look(topicInFlight !== undefined, now) || topicInFlight === undefined) return
    const answer = producer.topicExists(topicInFlight).catch(() => undefined)
    void answer.then(exists => {
      if (this.#current !== producer || !this.#watchdog.answered(typeof exists === 'boolean')) return
      const message = `no delivery report for ${this.#watchdog.silentSeconds} s although Kafka answers`
      this.#watchdog.replaced()
      this.rebuild({ code: -1, name: 'stalled', message })
    })
  }

  async #create(): Promise<RecordProducer<InFlight>> {
    const number = ++this.#made
    const isCurrent = (): boolean => number === this.#made && this.#current !== undefined
    const producer = await this.#options.create({
      // Reports of a producer that was replaced come too late: what it had is in other hands.
      onReport: (token, error) => {
        if (!isCurrent()) return
        this.#watchdog.reported()
        this.#options.onReport(token, error)
      },
      onFatal: error => {
        if (isCurrent()) this.rebuild(error)
      }
    })
    this.#watchdog.restart()
    return producer
  }

  #replaceLater(): void {
    this.#rebuilds++
    const delay = backoffMs(this.#rebuilds, REBUILD_BACKOFF, this.#options.random())
    this.#replacing = setTimeout(() => void this.#replace(), delay)
  }

  async #replace(): Promise<void> {
    if (this.#stopped) return
    try {
      const producer = await this.#create()
      if (this.#stopped) return void (await producer.close())
      this.#current = producer
      this.#options.onReplaced()
    } catch (error) {
      // The properties worked before, so it is a file (a certificate) that is gone for the moment.
      this.#options.onGivenUp({ code: -1, name: 'unknown', message: (error as Error).message }, [])
      this.#replaceLater()
    }
  }
}
