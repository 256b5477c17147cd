import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import { KafkaProducer, type LogLine } from '../../sidecar/kafka/producer.ts'
import { producerProperties, type KafkaProperties } from '../../sidecar/kafka/properties.ts'
import type { KafkaRecord } from '../../sidecar/records/record.ts'

export function recordOf(topic: string, text: string): KafkaRecord {
  return { topic, key: Buffer.from(text), value: Buffer.from(text), headers: [{ ce_id: text }] }
}

/** A producer with the sidecar's own properties, that keeps account of its reports. */
export class TestProducer {
  readonly reports: [token: string, error: KafkaError | undefined][] = []
  readonly errors: KafkaError[] = []
  readonly logs: LogLine[] = []
  statistics = 0
  producer!: KafkaProducer<string>
  #polling: NodeJS.Timeout | undefined

  /** Starts one that is closed when the test ends. */
  static async start(
    t: Pick<TestContext, 'after'>,
    brokers: string,
    user: Partial<KafkaProperties> = {}
  ): Promise<TestProducer> {
    const self = new TestProducer()
    const properties = producerProperties({
      brokers,
      user: { global: {}, topic: {}, ...user },
      maxEventBytes: 10_000_000,
      inFlightMaxRecords: 100_000,
      createTopics: false,
      clientId: 'a-test'
    })
    self.producer = await KafkaProducer.start<string>(properties, {
      onReport: (token, error) => self.reports.push([token, error]),
      onError: error => self.errors.push(error),
      onLog: line => self.logs.push(line),
      onStatistics: () => self.statistics++
    })
    self.#polling = setInterval(() => self.producer.poll(), 2)
    t.after(() => self.close())
    return self
  }

  async close(): Promise<void> {
    clearInterval(this.#polling)
    await this.producer.close()
  }

  async reported(count: number, timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (this.reports.length < count) {
      if (Date.now() > deadline) throw new Error(`${this.reports.length} of ${count} reports`)
      await sleep(5)
    }
  }
}
