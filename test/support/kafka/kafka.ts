import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { KafkaRecord, Probe, TopicDescription } from './probe.ts'

/** `replication` and `partitions` are 1 unless said; `config` holds Kafka's topic settings. */
export interface TopicOptions {
  partitions?: number
  replication?: number
  config?: Record<string, string>
}

/** A record to produce with Java's producer. */
export interface NewRecord {
  key: Buffer | null
  value: Buffer | null
  headers?: [name: string, value: Buffer | null][]
}

/** A record as Java's consumer read it, with SHA-1 digests in hexadecimal in place of what is long. */
export interface RecordFingerprint {
  topic: string
  partition: number
  offset: number
  /** As UTF-8 text. */
  key: string | null
  /** Digest of the value; null where the value is null. */
  value: string | null
  /** Of the value in bytes; -1 where it is null. */
  length: number
  /** What {@link headersDigest} makes of all headers that were not to be ignored. */
  headers: string
  /** The headers that were asked for, as latin1 text. */
  verbatim: Partial<Record<string, string>>
}

interface JsonRecord extends Omit<KafkaRecord, 'key' | 'value' | 'headers'> {
  key: string | null
  value: string | null
  headers: [string, string | null][]
}

/**
 * Kafka through its Java client: any Kafka, also one that the tests did not start. Everything rejects with ProbeError when
 * Kafka refuses, whose `code` is the Java exception's name (`TopicExistsException`).
 */
export class Kafka {
  protected readonly probe: Probe
  #bootstrap: string
  readonly #topics: string[] = []

  constructor(probe: Probe, bootstrap: string) {
    this.probe = probe
    this.#bootstrap = bootstrap
  }

  /** What KAFKA_BROKERS takes: `host:port`, separated by commas. */
  get bootstrap(): string {
    return this.#bootstrap
  }

  /** A topic name that nobody else has; if there is such a topic when this object is closed, it is deleted. */
  newTopicName(purpose: string): string {
    const topic = `inference-logger-test-${purpose}-${randomBytes(4).toString('hex')}`
    this.#topics.push(topic)
    return topic
  }

  /** Creates a topic and waits until all its partitions have a leader. */
  async createTopic(topic: string, { partitions = 1, replication = 1, config = {} }: TopicOptions = {}): Promise<void> {
    await this.#ask('create', { topic, partitions, replication, config })
    await this.waitForTopic(topic, found => found.partitions.every(({ leader }) => leader >= 0))
  }

  /** The topic as it is, or null when there is none. */
  async describeTopic(topic: string): Promise<TopicDescription | null> {
    return (await this.#ask('describe', { topic })) as TopicDescription | null
  }

  /** Waits until the topic is there and, with `condition`, is as wanted. Rejects after `timeoutMs`. */
  async waitForTopic(
    topic: string,
    condition: (topic: TopicDescription) => boolean = () => true,
    timeoutMs = 20_000
  ): Promise<TopicDescription> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = await this.describeTopic(topic)
      if (found && condition(found)) return found
      if (performance.now() > deadline)
        throw new Error(`topic ${topic} after ${timeoutMs} ms: ${JSON.stringify(found)}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  /** Changes a topic's settings. */
  async configureTopic(topic: string, config: Record<string, string>): Promise<void> {
    await this.#ask('configure', { topic, config })
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#ask('delete', { topic })
  }

  /** The id of the broker that leads the partition; undefined when none does or there is no such partition. */
  async leaderOf(topic: string, partition: number): Promise<number | undefined> {
    const leader = (await this.describeTopic(topic))?.partitions[partition]?.leader
    return leader === -1 ? undefined : leader
  }

  /**
   * Everything from the topic's beginning to its end, ordered within a partition: once that is `atLeast` records (0 unless
   * said), so that duplicates are seen as well. The topic need not be there yet. Rejects after `timeoutMs` with how many came.
   */
  async consume(topic: string, { atLeast = 0, timeoutMs = 30_000 } = {}): Promise<KafkaRecord[]> {
    const answer = (await this.#ask('consume', { topic, atLeast, timeoutMs })) as {
      records: JsonRecord[]
      complete: boolean
    }
    if (!answer.complete) {
      throw new Error(`${answer.records.length} of ${atLeast} records in ${topic} after ${timeoutMs} ms`)
    }
    return answer.records.map(record => ({
      ...record,
      key: fromBase64(record.key),
      value: fromBase64(record.value),
      headers: record.headers.map(([name, value]) => [name, fromBase64(value)])
    }))
  }

  /**
   * Everything that is in these topics now, for reading very many records: a million in half a minute. A topic that is
   * not there has none.
   * @param verbatim names of headers that are wanted as they are
   * @param ignored names of headers that are left out of the headers' digest
   */
  async fingerprint(
    topics: string[],
    {
      verbatim = [],
      ignored = [],
      timeoutMs = 120_000
    }: { verbatim?: string[]; ignored?: string[]; timeoutMs?: number }
  ): Promise<RecordFingerprint[]> {
    const folder = await mkdtemp(join(tmpdir(), 'inference-logger-records-'))
    try {
      const file = join(folder, 'records')
      await this.#ask('fingerprint', { topics, verbatim, ignored, timeoutMs, file })
      const found: RecordFingerprint[] = []
      for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
        found.push(JSON.parse(line) as RecordFingerprint)
      }
      return found
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Forbids everybody to write to a topic, which everybody still sees. Needs brokers with an authorizer. */
  async deny(topic: string): Promise<void> {
    await this.#ask('deny', { topic })
  }

  /** Takes {@link deny} back. */
  async allow(topic: string): Promise<void> {
    await this.#ask('allow', { topic })
  }

  /** Bound on what each client produces; null: none. */
  async throttle(bytesPerSecond: number | null): Promise<void> {
    await this.#ask('throttle', { bytesPerSecond })
  }

  /** Makes these brokers the replicas of a partition, and the first of them its leader. */
  async lead(topic: string, partition: number, replicas: number[]): Promise<void> {
    await this.#ask('lead', { topic, partition, replicas })
  }

  /** Produces with Java's producer, one record after the other; returns the partition of each. */
  async produce(topic: string, records: NewRecord[]): Promise<number[]> {
    const json = records.map(({ key, value, headers = [] }) => ({
      key: toBase64(key),
      value: toBase64(value),
      headers: headers.map(([name, header]) => [name, toBase64(header)])
    }))
    return (await this.#ask('produce', { topic, records: json })) as number[]
  }

  /** The partition that the default partitioner of Java's producer picks for each key. */
  async partitionsOf(keys: Buffer[], partitions: number): Promise<number[]> {
    return (await this.#ask('partition', { keys: keys.map(toBase64), partitions })) as number[]
  }

  /** Ends what this object started, and deletes the topics that it named. */
  async close(): Promise<void> {
    for (const topic of this.#topics) if (await this.describeTopic(topic)) await this.deleteTopic(topic)
    await this.probe.close()
  }

  /** The ids of the brokers that have joined the cluster, as the broker at `address` knows them. Rejects while it is away. */
  protected async brokerIds(address: string): Promise<number[]> {
    return (await this.probe.request('brokers', { bootstrap: address })) as number[]
  }

  protected setBootstrap(bootstrap: string): void {
    this.#bootstrap = bootstrap
  }

  #ask(op: string, parameters: Record<string, unknown>): Promise<unknown> {
    return this.probe.request(op, { bootstrap: this.#bootstrap, ...parameters })
  }
}

/** One digest for all headers of a record, in whatever order they are. */
export function headersDigest(headers: Iterable<readonly [name: string, value: string]>): string {
  const texts = Array.from(headers, ([name, value]) => `${name}\0${Buffer.from(value).toString('latin1')}\0`)
  return createHash('sha1')
    .update(Buffer.from(texts.sort().join(''), 'latin1'))
    .digest('hex')
}

function toBase64(bytes: Buffer | null): string | null {
  return bytes && bytes.toString('base64')
}

function fromBase64(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}
