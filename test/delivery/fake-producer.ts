import type { InFlight, ProducerCallbacks } from '../../sidecar/delivery/delivery.ts'
import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import type { RecordProducer } from '../../sidecar/kafka/producer.ts'
import type { KafkaRecord } from '../../sidecar/records/record.ts'

/** A record that delivery has handed over. */
export interface Sent {
  readonly record: KafkaRecord
  readonly token: InFlight
  /** The record's value, which is what the tests tell events apart by. */
  readonly text: string
}

export function kafkaError(code: number): KafkaError {
  return { code, name: `code_${code}`, message: `error ${code}` }
}

/** A producer whose reports a test decides about. They are handed over at the next poll, as librdkafka's are. */
export class FakeProducer implements RecordProducer<InFlight> {
  /** Everything it was given, in order. */
  readonly sent: Sent[] = []
  /** What it was given and has not reported on, oldest first. */
  readonly unreported: Sent[] = []
  abandoned = false
  closed = false
  /** Set to have produce() refuse at once, as librdkafka does when its queue is full or a record is too large. */
  refuse: (text: string) => KafkaError | undefined = () => undefined
  /** Topics that Kafka was asked about. */
  readonly asked: string[] = []
  /** What Kafka says of a topic. */
  answer: (topic: string) => Promise<boolean | KafkaError> = () => Promise.resolve(true)
  readonly #callbacks: ProducerCallbacks
  readonly #reports: [Sent, KafkaError | undefined][] = []

  constructor(callbacks: ProducerCallbacks) {
    this.#callbacks = callbacks
  }

  produce(record: KafkaRecord, token: InFlight): KafkaError | undefined {
    if (this.closed) throw new Error('produce() after close()')
    const sent = { record, token, text: record.value.toString() }
    const refusal = this.refuse(sent.text)
    if (refusal !== undefined) return refusal
    this.sent.push(sent)
    this.unreported.push(sent)
    return undefined
  }

  poll(): void {
    for (let next = this.#reports.shift(); next !== undefined; next = this.#reports.shift()) {
      this.#callbacks.onReport(next[0].token, next[1])
    }
  }

  topicExists(topic: string): Promise<boolean | KafkaError> {
    this.asked.push(topic)
    return this.answer(topic)
  }

  abandon(): InFlight[] {
    this.abandoned = true
    // As in librdkafka's case, a report that was not polled yet is none.
    const unpolled = this.#reports.splice(0).map(([sent]) => sent)
    return [...unpolled, ...this.unreported.splice(0)].map(({ token }) => token)
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }

  /** Reports on the oldest `count` records; without an error, that Kafka has them. */
  report(count: number, error?: KafkaError): void {
    for (const sent of this.unreported.splice(0, count)) this.#reports.push([sent, error])
  }

  /** Reports on the records that a test picks. */
  reportWhere(pick: (sent: Sent) => boolean, error?: KafkaError): number {
    const picked = this.unreported.filter(pick)
    for (const sent of picked) {
      this.unreported.splice(this.unreported.indexOf(sent), 1)
      this.#reports.push([sent, error])
    }
    return picked.length
  }

  reportAll(error?: KafkaError): void {
    this.report(this.unreported.length, error)
  }

  /** Reports of a client that was given up: what a thread of librdkafka had under way. */
  reportLate(sent: Sent, error?: KafkaError): void {
    this.#callbacks.onReport(sent.token, error)
  }

  fatal(error = kafkaError(-150)): void {
    this.#callbacks.onFatal(error)
  }
}
