import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import Kafka from 'node-rdkafka'
import { MockKafka } from '../../cli/demo/mock-kafka.ts'

/** A record as a consumer gets it. */
export type Consumed = Pick<Kafka.Message, 'key' | 'value' | 'headers' | 'partition'>

interface Callback<T> {
  (error: Kafka.LibrdKafkaError | null | undefined, result: T): void
}

/** Calls a function of node-rdkafka, whose errors are no instances of Error. */
export function call<T>(start: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(new Error(error.message, { cause: error }))
      else resolve(result)
    })
  })
}

/** librdkafka's mock cluster in this process: real sockets, the real protocol, topics of four partitions. */
export class MockCluster {
  readonly #kafka: MockKafka

  private constructor(kafka: MockKafka) {
    this.#kafka = kafka
  }

  /** Starts one that ends with the test. */
  static async start(t: { after(stop: () => Promise<void>): void }): Promise<MockCluster> {
    const kafka = await MockKafka.start()
    t.after(() => kafka.stop())
    return new MockCluster(kafka)
  }

  get brokers(): string {
    return this.#kafka.brokers
  }

  get port(): number {
    return Number(this.brokers.split(':').at(-1))
  }

  /** Makes a topic, by asking for it, and waits until it is there. */
  async createTopic(topic: string): Promise<void> {
    for (let i = 0; i < 50; i++) {
      const { topics } = await call<Kafka.Metadata>(callback => {
        this.#kafka.owner.getMetadata({ topic, timeout: 5000 }, callback)
      })
      if (topics.some(({ name, partitions }) => name === topic && partitions.length > 0)) return
      await sleep(50)
    }
    assert.fail(`the topic ${topic} does not come`)
  }

  /** Reads a topic from its beginning until there are `count` records, in order within a partition. */
  async consume(topic: string, count: number, timeoutMs = 10_000): Promise<Consumed[]> {
    await this.createTopic(topic)
    const consumer = new Kafka.KafkaConsumer({ 'bootstrap.servers': this.brokers, 'group.id': 'a-test' }, {})
    await call(callback => consumer.connect({}, callback))
    consumer.setDefaultConsumeTimeout(50)
    try {
      consumer.assign([0, 1, 2, 3].map(partition => ({ topic, partition, offset: 0 })))
      const records: Consumed[] = []
      const deadline = Date.now() + timeoutMs
      while (records.length < count) {
        assert.ok(Date.now() < deadline, `${records.length} of ${count} records came`)
        records.push(...(await call<Kafka.Message[]>(callback => consumer.consume(count, callback))))
      }
      return records
    } finally {
      await call(callback => consumer.disconnect(callback))
    }
  }
}
