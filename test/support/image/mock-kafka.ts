import kafka from 'node-rdkafka'
import { setTimeout as sleep } from 'node:timers/promises'

/** A Kafka record as a consumer sees it, with the value of each header as text. */
export interface ReceivedRecord {
  key: string
  value: string
  headers: Map<string, string>
}

/** librdkafka's in-process Kafka cluster: real sockets and the real protocol, nothing to install. */
export class MockKafka {
  readonly brokers: string
  readonly #owner: kafka.Producer

  private constructor(owner: kafka.Producer, brokers: string) {
    this.#owner = owner
    this.brokers = brokers
  }

  /** Starts a cluster of one broker; it lives as long as the client that owns it. */
  static async start(): Promise<MockKafka> {
    const owner = new kafka.Producer({ 'test.mock.num.brokers': 1 } as kafka.ProducerGlobalConfig)
    const metadata = await new Promise<kafka.Metadata>((resolve, reject) => {
      owner.connect({}, (error, data) => {
        if (error) reject(failure(error))
        else resolve(data)
      })
    })
    return new MockKafka(owner, metadata.brokers.map(({ host, port }) => `${host}:${port}`).join(','))
  }

  #partitions(topic: string): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.#owner.getMetadata({ topic, timeout: 5000 }, (error, data) => {
        if (error) reject(failure(error))
        else resolve(data.topics.find(({ name }) => name === topic)?.partitions.map(({ id }) => id) ?? [])
      })
    })
  }

  /** Reads a topic from its beginning until it has that many records. */
  async read(topic: string, count: number, timeoutMs: number): Promise<ReceivedRecord[]> {
    const consumer = new kafka.KafkaConsumer({ 'bootstrap.servers': this.brokers, 'group.id': 'image-test' }, {})
    const deadline = Date.now() + timeoutMs
    try {
      await new Promise<void>((resolve, reject) => {
        consumer.connect({}, error => {
          if (error) reject(failure(error))
          else resolve()
        })
      })
      const partitions = await this.#partitions(topic)
      consumer.assign(partitions.map(partition => ({ topic, partition, offset: 0 })))
      const records: ReceivedRecord[] = []
      while (records.length < count && Date.now() < deadline) {
        const messages = await new Promise<kafka.Message[]>((resolve, reject) => {
          consumer.consume(count, (error, batch) => {
            if (error) reject(failure(error))
            else resolve(batch)
          })
        })
        records.push(...messages.map(toRecord))
        if (messages.length === 0) await sleep(50)
      }
      return records
    } finally {
      await new Promise<void>(resolve => {
        consumer.disconnect(() => {
          resolve()
        })
      })
    }
  }

  /** Ends the cluster. */
  stop(): Promise<void> {
    return new Promise(resolve => {
      this.#owner.disconnect(() => {
        resolve()
      })
    })
  }
}

function toRecord({ key, value, headers }: kafka.Message): ReceivedRecord {
  const entries = (headers ?? []).flatMap(header =>
    Object.entries(header).map(([name, content]): [string, string] => [name, String(content)])
  )
  return { key: String(key ?? ''), value: value?.toString() ?? '', headers: new Map(entries) }
}

/** node-rdkafka's errors are no instances of Error. */
function failure(error: kafka.LibrdKafkaError): Error {
  return new Error(`${error.message} (${error.code})`, { cause: error })
}
