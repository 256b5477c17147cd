import Kafka from 'node-rdkafka'
import { kafkaErrorOf } from '../../sidecar/kafka/errors.ts'

/**
 * The Kafka that is built into librdkafka for its own tests: real sockets and the real protocol, in this process, nothing
 * to install. It creates topics when a producer asks for them, and keeps records in memory.
 */
export class MockKafka {
  /** The client that the cluster lives and ends with. */
  readonly owner: Kafka.Producer
  /** Bootstrap servers, `host:port`. */
  readonly brokers: string

  private constructor(owner: Kafka.Producer, brokers: string) {
    this.owner = owner
    this.brokers = brokers
  }

  /** Starts a cluster of one broker on a port of 127.0.0.1 that the system picks. */
  static async start(): Promise<MockKafka> {
    const owner = new Kafka.Producer({ 'test.mock.num.brokers': 1 } as Kafka.ProducerGlobalConfig)
    const metadata = await new Promise<Kafka.Metadata>((resolve, reject) => {
      owner.connect({ timeout: 5000 }, (error: unknown, data) => {
        if (error) reject(new Error(`the embedded Kafka did not start: ${kafkaErrorOf(error).message}`))
        else resolve(data)
      })
    })
    // Its errors and logs wait in a queue until somebody polls.
    owner.setPollInterval(1000)
    return new MockKafka(owner, metadata.brokers.map(({ host, port }) => `${host}:${port}`).join())
  }

  /** Ends the cluster; what it kept is gone. */
  async stop(): Promise<void> {
    await new Promise<void>(resolve => this.owner.disconnect(200, () => resolve()))
  }
}
