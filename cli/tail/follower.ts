import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import type { KafkaProperties } from '../../sidecar/kafka/properties.ts'
import { BEGINNING, Consumer, type Partition } from './consumer.ts'
import type { Notices } from './notices.ts'
import type { ConsumedRecord } from './record.ts'
import { matchesPattern, type TopicSelection } from './topics.ts'
import { visible } from './visible.ts'

/** What is followed, and from where. */
export interface FollowOptions {
  readonly properties: KafkaProperties
  readonly topics: TopicSelection
  /** From the oldest record; otherwise from the next one. Topics that appear later are read from their beginning. */
  readonly fromBeginning: boolean
  readonly notices: Notices
  /** ms between two looks for what is missing. */
  readonly lookAgainMs?: number
}

/** Records handed over at a time. */
const BATCH = 500
/** ms: the end of waiting, so that a stop and a new topic are noticed. */
const WAIT_MS = 200
/** ms for one question to the cluster; librdkafka goes on connecting between two of them. */
const ASK_MS = 1000
/** ms between two looks for topics and partitions: while one is missing; while one may come; when all are there. */
const LOOK_MS = { missing: 1000, pattern: 3000, complete: 10_000 }
/** ms without an answer after which Kafka counts as away, even if nothing said so. */
const PATIENCE_MS = 3000

/**
 * Follows topics. Partitions are assigned by hand and looked for by asking the cluster: no consumer group, hence no
 * rights to one, no rebalance to wait for, and nothing left behind.
 */
export class Follower {
  readonly #options: FollowOptions
  #consumer!: Consumer
  readonly #assigned = new Set<string>()
  /** The cluster has answered once: what appears from then on is new. */
  #looked = false
  #nextLook = 0
  #unansweredSince: number | undefined
  #lastWords: string | undefined

  private constructor(options: FollowOptions) {
    this.#options = options
  }

  /**
   * Starts to follow. Kafka may be away and topics may be missing: both are waited for.
   * @throws {Error} when the Kafka properties cannot work whatever Kafka says
   */
  static async start(options: FollowOptions): Promise<Follower> {
    const follower = new Follower(options)
    follower.#consumer = await Consumer.start(options.properties, {
      onError: () => follower.#askSoon(),
      onLog: message => (follower.#lastWords = wordsOf(message))
    })
    return follower
  }

  /** The records that have come since; none after a short while without any. Calls must not overlap. */
  async next(): Promise<ConsumedRecord[]> {
    if (performance.now() >= this.#nextLook) await this.#look()
    const records = await this.#consumer.consume(BATCH, WAIT_MS)
    if (Array.isArray(records)) return records
    this.#options.notices.say(`partition ${records.name}`, `Kafka: ${records.message}; trying again`)
    await sleep(WAIT_MS)
    return []
  }

  /** Ends. No call of {@link next} may be under way. */
  close(): Promise<void> {
    return this.#consumer.close()
  }

  /** An error alone may be no more than an idle connection that was closed: the next answer, or its absence, tells. */
  #askSoon(): void {
    this.#nextLook = Math.min(this.#nextLook, performance.now() + LOOK_MS.missing)
  }

  async #look(): Promise<void> {
    const { notices, topics, lookAgainMs } = this.#options
    const found = await this.#ask()
    if (!Array.isArray(found)) {
      this.#away(found)
      this.#nextLook = performance.now()
      return
    }
    this.#unansweredSince = undefined
    if (notices.over('away')) notices.say('back', 'Kafka answers')
    notices.over('back')
    const missing = topics.names.filter(name => !found.some(({ topic }) => topic === name))
    for (const name of missing)
      notices.say(`missing ${name}`, `there is no topic ${name} (or it must not be read); waiting for it`)
    const before = this.#assigned.size
    await this.#assign(found.filter(one => !this.#assigned.has(keyOf(one))))
    if (this.#assigned.size === 0 && topics.patterns.length > 0)
      notices.say(
        'no match',
        `no topic matches ${topics.patterns.map(({ source }) => source).join(' ')}; waiting for one`
      )
    if (this.#assigned.size > before) this.#sayWhat(found)
    this.#looked = true
    const complete = missing.length === 0 && this.#assigned.size > 0
    const later = topics.patterns.length > 0 ? LOOK_MS.pattern : LOOK_MS.complete
    this.#nextLook = performance.now() + (complete ? later : (lookAgainMs ?? LOOK_MS.missing))
  }

  /** The partitions of all topics meant, as far as they exist. */
  async #ask(): Promise<Partition[] | KafkaError> {
    const { topics } = this.#options
    const found: Partition[] = []
    for (const name of topics.names) {
      const answer = await this.#consumer.partitions(name, ASK_MS)
      if (!Array.isArray(answer)) return answer
      found.push(...answer)
    }
    if (topics.patterns.length === 0) return found
    const answer = await this.#consumer.partitions(undefined, ASK_MS)
    if (!Array.isArray(answer)) return answer
    return [...found, ...answer.filter(({ topic }) => !topics.names.includes(topic) && matchesPattern(topics, topic))]
  }

  async #assign(partitions: readonly Partition[]): Promise<void> {
    if (partitions.length === 0) return
    const fromBeginning = this.#options.fromBeginning || this.#looked
    const offsets = fromBeginning ? [] : await this.#consumer.ends(partitions, ASK_MS)
    this.#consumer.assign(partitions.map((one, index) => ({ ...one, offset: offsets[index] ?? BEGINNING })))
    for (const one of partitions) this.#assigned.add(keyOf(one))
  }

  #sayWhat(found: readonly Partition[]): void {
    const names = [...new Set(found.map(({ topic }) => topic))].sort()
    const some = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ')
    const where = this.#options.fromBeginning ? 'from the beginning' : 'from now on'
    this.#options.notices.say(`following ${names.join()}`, `following ${some} ${where}`)
  }

  #away(error: KafkaError): void {
    const now = performance.now()
    this.#unansweredSince ??= now
    if (this.#lastWords === undefined && now - this.#unansweredSince < PATIENCE_MS) return
    const brokers = String(this.#options.properties.global['bootstrap.servers'])
    this.#options.notices.say(
      'away',
      `Kafka does not answer at ${brokers} (${visible(this.#lastWords ?? error.message)}); trying again`
    )
    this.#lastWords = undefined
  }
}

function keyOf({ topic, partition }: Partition): string {
  return `${topic}/${partition}`
}

/** Takes librdkafka's own bookkeeping out of a log line: `[thrd:…]: …/bootstrap: Connect to … failed: Connection refused (after …)`. */
function wordsOf(log: string): string {
  return log
    .replace(/^\[thrd:[^\]]*\]: /, '')
    .replace(/ \(after \d+ms in state .*$/, '')
    .replace(/^(\S+)\/(?:bootstrap|\d+): /, '$1: ')
}
