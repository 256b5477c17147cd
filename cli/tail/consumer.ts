import Kafka from 'node-rdkafka'
import { connectOnce } from '../../sidecar/kafka/connect.ts'
import { kafkaErrorOf, type KafkaError } from '../../sidecar/kafka/errors.ts'
import type { KafkaProperties } from '../../sidecar/kafka/properties.ts'
import { recordOf, type ConsumedRecord } from './record.ts'

/** A partition of a topic. */
export interface Partition {
  readonly topic: string
  readonly partition: number
}

/** Offset that stands for the oldest record. */
export const BEGINNING = -2
/** Offset that stands for the next record. */
export const END = -1

/** What a consumer tells of while it works on by itself. */
export interface ConsumerEvents {
  onError(error: KafkaError): void
  /** librdkafka's own words, which say more than an error's name: the address, the reason of a TLS failure. */
  onLog(message: string): void
}

/** A librdkafka consumer of partitions that are assigned by hand. Calls must not overlap. */
export class Consumer {
  readonly #consumer: Kafka.KafkaConsumer

  /**
   * Starts a consumer. Needs no broker: librdkafka connects, and goes on trying, by itself.
   * @throws {Error} with librdkafka's words when the properties contradict each other or name a file that is not there
   */
  static async start(properties: KafkaProperties, events: ConsumerEvents): Promise<Consumer> {
    const consumer = new Consumer(properties, events)
    await connectOnce(consumer.#consumer).catch((error: unknown) => {
      throw new Error(kafkaErrorOf(error).message)
    })
    return consumer
  }

  private constructor(properties: KafkaProperties, events: ConsumerEvents) {
    this.#consumer = new Kafka.KafkaConsumer(properties.global, properties.topic)
    this.#consumer.on('event.error', error => events.onError(kafkaErrorOf(error)))
    this.#consumer.on('event.log', (log: { message: string }) => events.onLog(log.message))
  }

  /**
   * Asks the cluster for partitions.
   * @param topic undefined: all topics
   * @param timeoutMs for a broker to be reached and to answer
   * @returns none for a topic that does not exist or that must not be seen; or why there was no answer
   */
  partitions(topic: string | undefined, timeoutMs: number): Promise<Partition[] | KafkaError> {
    // Its default is all topics, also where one is named.
    const options = { timeout: timeoutMs, allTopics: topic === undefined, ...(topic === undefined ? {} : { topic }) }
    return new Promise(resolve => {
      this.#consumer.getMetadata(options, (error: unknown, { topics } = { topics: [] } as never) => {
        if (error) resolve(kafkaErrorOf(error))
        else
          resolve(
            topics.flatMap(({ name, partitions }) => partitions.map(({ id }) => ({ topic: name, partition: id })))
          )
      })
    })
  }

  /**
   * Where the next record of each partition will be, now and not when the first fetch happens to be answered.
   * @returns {@link END} for a partition that cannot be asked
   */
  ends(partitions: readonly Partition[], timeoutMs: number): Promise<number[]> {
    // Kafka's ListOffsets takes -1 in place of a time for the end.
    const question = partitions.map(one => ({ ...one, offset: END }))
    return new Promise(resolve => {
      this.#consumer.offsetsForTimes(
        question,
        timeoutMs,
        (error: unknown, answer: Kafka.TopicPartitionOffset[] = []) => {
          resolve(
            partitions.map(({ topic, partition }) => {
              const found = error ? undefined : answer.find(one => one.topic === topic && one.partition === partition)
              return found !== undefined && found.offset >= 0 ? found.offset : END
            })
          )
        }
      )
    })
  }

  /** Begins to read more partitions, each from an offset. */
  assign(partitions: readonly (Partition & { readonly offset: number })[]): void {
    try {
      this.#consumer.incrementalAssign([...partitions])
    } catch (error) {
      // What node-rdkafka throws is no Error.
      throw new Error(`partitions cannot be read: ${kafkaErrorOf(error).message}`, { cause: error })
    }
  }

  /**
   * Waits for records.
   * @returns all that are there as soon as one is, none after `timeoutMs`, or what is wrong with a partition
   */
  async consume(max: number, timeoutMs: number): Promise<ConsumedRecord[] | KafkaError> {
    // A call ends only when it has all the records it asked for or none came for its timeout: so one is waited for, and
    // the rest is taken as far as it is there.
    const first = await this.#consume(1, timeoutMs)
    if (!Array.isArray(first) || first.length === 0 || max <= 1) return first
    const rest = await this.#consume(max - 1, 1)
    return Array.isArray(rest) ? [...first, ...rest] : first
  }

  #consume(max: number, timeoutMs: number): Promise<ConsumedRecord[] | KafkaError> {
    return new Promise(resolve => {
      this.#consumer.setDefaultConsumeTimeout(timeoutMs)
      this.#consumer.consume(max, (error: unknown, messages) => {
        resolve(error ? kafkaErrorOf(error) : messages.map(recordOf))
      })
    })
  }

  /** Ends the client. Nothing else may be under way. */
  async close(): Promise<void> {
    await new Promise<void>(resolve => this.#consumer.disconnect(() => resolve()))
  }
}
