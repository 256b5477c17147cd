import assert from 'node:assert/strict'
import { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Kafka from 'node-rdkafka'

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
  readonly #owner: Kafka.Producer
  readonly brokers: string

  private constructor(owner: Kafka.Producer, brokers: string) {
    this.#owner = owner
    this.brokers = brokers
  }

  /** Starts one that ends with the test. */
  static async start(t: Pick<TestContext, 'after'>): Promise<MockCluster> {
    const owner = new Kafka.Producer({ 'test.mock.num.brokers': 1 } as Kafka.ProducerGlobalConfig, {})
    const metadata = await call<Kafka.Metadata>(callback => owner.connect({}, callback))
    t.after(() => call(callback => owner.disconnect(callback)))
    const brokers = metadata.brokers.map(({ host, port }) => `${host}:${port}`)
    return new MockCluster(owner, brokers.join(','))
  }

  get port(): number {
    return Number(this.brokers.split(':').at(-1))
  }

  /** Makes a topic, by asking for it, and waits until it is there. */
  async createTopic(topic: string): Promise<void> {
    for (let i = 0; i < 50; i++) {
      const { topics } = await call<Kafka.Metadata>(callback => {
        this.#owner.getMetadata({ topic, timeout: 5000 }, callback)
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
