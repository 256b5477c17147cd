import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter } from '../../sidecar/dead-letters/letter.ts'
import { letterFiles, linesOf, type LetterLine } from '../../sidecar/dead-letters/read.ts'
import { classify } from '../../sidecar/delivery/classify.ts'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import type { RecordProducer } from '../../sidecar/kafka/producer.ts'
import type { EnsureTopic } from '../../sidecar/kafka/topics.ts'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { KafkaRecord, RecordFormat } from '../../sidecar/records/record.ts'
import { visible } from '../tail/visible.ts'
import { LockedFile } from './locked-file.ts'
import { idOf } from './selection.ts'

/** What a replay needs. */
export interface ReplaySettings {
  readonly folder: string
  readonly isMeant: (letter: DeadLetter) => boolean
  /** Instead of each dead letter's own. */
  readonly topic: string | undefined
  readonly format: RecordFormat | undefined
  /** The files stay as they are. */
  readonly keep: boolean
  /** undefined: topics are not created. */
  readonly ensureTopic: EnsureTopic | undefined
  readonly print: (text: string) => Promise<void>
  /** ms without any answer of Kafka after which the rest is not sent */
  readonly patienceMs?: number
}

/** Numbers of dead letters. */
export interface ReplayResult {
  delivered: number
  /** Kafka does not take them now either. */
  refused: number
  /** Kafka did not answer, or their file is in other hands. */
  unsent: number
  /** Delivered, but still in their file. */
  unremoved: number
}

type Outcome = 'delivered' | 'refused' | 'unsent'

const PATIENCE_MS = 30_000
const MAX_IN_FLIGHT = 1000
const ASK_AGAIN_MS = 200
/** _QUEUE_FULL. */
const QUEUE_FULL = -184

/**
 * Sends dead letters file by file, each locked meanwhile, and takes out of a file what was delivered. An interruption
 * leaves files as they were: then what was delivered is delivered again next time.
 */
export class Replay {
  readonly #s: ReplaySettings
  readonly #result: ReplayResult = { delivered: 0, refused: 0, unsent: 0, unremoved: 0 }
  readonly #inFlight = new Map<number, (error: KafkaError | 'no answer' | undefined) => void>()
  readonly #topics = new Map<string, Promise<KafkaError | undefined>>()
  #lastToken = 0
  #lastAnswer = 0
  #isGivenUp = false

  constructor(settings: ReplaySettings) {
    this.#s = settings
  }

  /** To be called by the producer. */
  onReport(token: number, error: KafkaError | undefined): void {
    this.#lastAnswer = performance.now()
    this.#inFlight.get(token)?.(error)
    this.#inFlight.delete(token)
  }

  /**
   * Sends all that is meant.
   * @throws {Error} when the folder cannot be read
   */
  async run(producer: RecordProducer<number>): Promise<ReplayResult> {
    this.#lastAnswer = performance.now()
    const watch = setInterval(() => this.#giveUpWhenSilent(), 100)
    try {
      for (const name of await letterFiles(this.#s.folder)) await this.#replayFile(name, producer)
    } finally {
      clearInterval(watch)
    }
    return this.#result
  }

  async #replayFile(name: string, producer: RecordProducer<number>): Promise<void> {
    const file = await LockedFile.open(this.#s.folder, name)
    if (file === undefined) return
    try {
      const lines = [...linesOf(file.content)]
      const meant = lines.filter(({ content }) => typeof content !== 'string' && this.#s.isMeant(content))
      if (file.isTaken) {
        this.#result.unsent += meant.length
        if (meant.length > 0) await this.#s.print(`${name} is being written by another process: try again\n`)
        return
      }
      const delivered = await this.#sendAll(meant, producer)
      // The end of an interrupted write was never promised to anybody.
      const rest = lines.filter(line => !delivered.has(line) && line.content !== 'torn')
      if (this.#s.keep || (delivered.size === 0 && rest.length > 0)) return
      try {
        await file.replace(rest.map(({ bytes }) => bytes))
      } catch (error) {
        this.#result.unremoved += delivered.size
        await this.#s.print(`what was delivered cannot be removed from ${name}: ${(error as Error).message}\n`)
      }
    } finally {
      await file.close()
    }
  }

  /** @returns those that Kafka has */
  async #sendAll(lines: readonly LetterLine[], producer: RecordProducer<number>): Promise<Set<LetterLine>> {
    const delivered = new Set<LetterLine>()
    const outcomes: Promise<void>[] = []
    for (const line of lines) {
      while (this.#inFlight.size >= MAX_IN_FLIGHT) await sleep(1)
      const letter = line.content as DeadLetter
      const topic = this.#s.topic ?? letter.topic
      // In turn, so that the order within a file is kept.
      const problem = await this.#topicProblem(topic, producer)
      const sent = problem === undefined ? this.#send(letter, topic, producer) : Promise.resolve(problem)
      outcomes.push(
        sent.then(async error => {
          const outcome = outcomeOf(error)
          this.#result[outcome]++
          if (outcome === 'delivered') delivered.add(line)
          if (outcome !== 'refused' || typeof error !== 'object') return
          await this.#s.print(visible(`refused again: ${idOf(letter)} for ${topic}: ${error.message}`) + '\n')
        })
      )
    }
    await Promise.all(outcomes)
    return delivered
  }

  async #send(
    letter: DeadLetter,
    topic: string,
    producer: RecordProducer<number>
  ): Promise<KafkaError | 'no answer' | undefined> {
    let record: KafkaRecord
    try {
      const options = { ...letter.record, format: this.#s.format ?? letter.record.format }
      record = buildRecord({ event: letter.event, topic, replayed: true }, options)
    } catch (error) {
      return { code: -1, name: 'unknown', message: `no record can be made of it: ${(error as Error).message}` }
    }
    for (;;) {
      if (this.#isGivenUp) return 'no answer'
      const token = ++this.#lastToken
      const reported = new Promise<KafkaError | 'no answer' | undefined>(resolve => this.#inFlight.set(token, resolve))
      const error = producer.produce(record, token)
      if (error === undefined) return reported
      this.#inFlight.delete(token)
      if (error.code !== QUEUE_FULL) return error
      await sleep(ASK_AGAIN_MS)
    }
  }

  /** Makes sure once that a topic is there. @returns what is wrong with it */
  async #topicProblem(topic: string, producer: RecordProducer<number>): Promise<KafkaError | 'no answer' | undefined> {
    const { ensureTopic } = this.#s
    if (ensureTopic === undefined) return undefined
    let problem = this.#topics.get(topic)
    if (problem === undefined) {
      problem = this.#prepare(topic, ensureTopic, producer)
      this.#topics.set(topic, problem)
    }
    return (await problem) ?? (this.#isGivenUp ? 'no answer' : undefined)
  }

  async #prepare(
    topic: string,
    ensureTopic: EnsureTopic,
    producer: RecordProducer<number>
  ): Promise<KafkaError | undefined> {
    while (!this.#isGivenUp) {
      const outcome = await ensureTopic(topic, name => producer.topicExists(name))
      if (outcome !== 'ready' && 'unanswered' in outcome) {
        await sleep(ASK_AGAIN_MS)
        continue
      }
      this.#lastAnswer = performance.now()
      return outcome === 'ready' ? undefined : outcome.refused
    }
    return undefined
  }

  #giveUpWhenSilent(): void {
    if (performance.now() - this.#lastAnswer < (this.#s.patienceMs ?? PATIENCE_MS)) return
    this.#isGivenUp = true
    for (const resolve of this.#inFlight.values()) resolve('no answer')
    this.#inFlight.clear()
  }
}

function outcomeOf(error: KafkaError | 'no answer' | undefined): Outcome {
  if (error === undefined) return 'delivered'
  // A producer beyond repair says nothing about the record.
  return error === 'no answer' || classify(error.code).action === 'rebuild' ? 'unsent' : 'refused'
}
