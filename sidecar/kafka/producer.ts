import Kafka from 'node-rdkafka'
import type { KafkaRecord } from '../records/record.ts'
import { connectOnce } from './connect.ts'
import { kafkaErrorOf, type KafkaError } from './errors.ts'
import type { KafkaProperties } from './properties.ts'

/** What a producer tells of. */
export interface ProducerEvents<T> {
  /** The fate of a record: `error` is undefined when all in-sync replicas have it. Called once per record. */
  onReport(token: T, error: KafkaError | undefined): void
  /** librdkafka speaks of a broker or of itself; it goes on trying by itself unless the error is fatal. */
  onError(error: KafkaError): void
  /** A line of librdkafka's own log, with the detail that its errors lack (which broker, and why). */
  onLog(line: LogLine): void
  /** librdkafka's statistics, JSON text, every five seconds. */
  onStatistics(json: string): void
}

/** A line of librdkafka's log. */
export interface LogLine {
  /** syslog's: 3 error, 4 warning, 6 info, 7 debug */
  readonly severity: number
  /** What it is about, in librdkafka's word: `FAIL`, `CONFWARN`; bounded. */
  readonly fac: string
  readonly message: string
}

/** What delivery needs of Kafka; tests have one of their own. */
export interface RecordProducer<T> {
  /**
   * Hands a record to librdkafka, which copies it.
   * @param token given back with the report
   * @returns undefined, or why it was not taken; then no report will come
   */
  produce(record: KafkaRecord, token: T): KafkaError | undefined
  /** Lets reports, errors and statistics that are waiting be called. */
  poll(): void
  /** Whether the topic is there; asking does not create it unless the broker may (`createTopics` off). */
  topicExists(topic: string): Promise<boolean | KafkaError>
  /** Every record that was produced and not reported on; they will not be any more. */
  abandon(): T[]
  /** Ends the client. Reports that were not polled are lost: wait for them first. */
  close(): Promise<void>
}

/** How long librdkafka may take to end, in ms: what it still has was abandoned before. */
const DISCONNECT_MS = 200

/** How long Kafka may take to say whether a topic exists, in ms; a thread of the pool waits for it, and so does an end. */
const METADATA_MS = 1000

/** A librdkafka producer, without the traps of node-rdkafka. */
export class KafkaProducer<T> implements RecordProducer<T> {
  readonly #producer: Kafka.Producer
  /**
   * What is in flight, by the number that librdkafka gives back with the report. Slots and not a Map: a Map leaves its old
   * tables behind as it grows, which hold on to what was delivered long ago (measured: 2 KB an event into V8's old space).
   */
  #slots: (T | undefined)[] = []
  #free: number[] = []
  #closed = false
  /** Reports that still come are of records that are in other hands. */
  #abandoned = false

  /**
   * Starts a producer. Needs no broker: librdkafka connects, and goes on trying, by itself.
   * @throws {Error} with librdkafka's words when the properties contradict each other or name a file that is not there
   */
  static async start<T>(properties: KafkaProperties, events: ProducerEvents<T>): Promise<KafkaProducer<T>> {
    const producer = new KafkaProducer<T>(properties, events)
    await connectOnce(producer.#producer).catch((error: unknown) => {
      throw new Error(kafkaErrorOf(error).message)
    })
    return producer
  }

  private constructor(properties: KafkaProperties, events: ProducerEvents<T>) {
    this.#producer = new Kafka.Producer(properties.global, properties.topic)
    this.#producer.on('delivery-report', (error: Kafka.LibrdKafkaError | null, report: Kafka.DeliveryReport) => {
      const token = this.#release(report.opaque as number)
      if (token === undefined) return
      // The binding's types call it non-null; it is null on success.
      events.onReport(token, (error as unknown) ? kafkaErrorOf(error) : undefined)
    })
    this.#producer.on('event.error', error => events.onError(kafkaErrorOf(error)))
    // Without a listener these lines are lost (lib/client.js).
    this.#producer.on('event.log', (line: LogLine) => events.onLog(line))
    this.#producer.on('event.stats', (stats: { message: string }) => events.onStatistics(stats.message))
  }

  produce(record: KafkaRecord, token: T): KafkaError | undefined {
    const slot = this.#free.pop() ?? this.#slots.length
    this.#slots[slot] = token
    try {
      this.#producer.produce(record.topic, null, record.value, record.key, undefined, slot, record.headers)
      return undefined
    } catch (error) {
      this.#release(slot)
      return kafkaErrorOf(error)
    }
  }

  #release(slot: number): T | undefined {
    const token = this.#slots[slot]
    if (token === undefined || this.#abandoned) return undefined
    this.#slots[slot] = undefined
    this.#free.push(slot)
    return token
  }

  poll(): void {
    if (!this.#closed) this.#producer.poll()
  }

  topicExists(topic: string): Promise<boolean | KafkaError> {
    return new Promise(resolve => {
      const options = { topic, allTopics: false, timeout: METADATA_MS }
      this.#producer.getMetadata(options, (error: unknown, metadata: Kafka.Metadata | undefined) => {
        if (error) resolve(kafkaErrorOf(error))
        else resolve(metadata?.topics.some(({ name, partitions }) => name === topic && partitions.length > 0) ?? false)
      })
    })
  }

  abandon(): T[] {
    const tokens = this.#slots.filter(token => token !== undefined)
    this.#slots = []
    this.#free = []
    this.#abandoned = true
    return tokens
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await new Promise<void>(resolve => this.#producer.disconnect(DISCONNECT_MS, () => resolve()))
  }
}
