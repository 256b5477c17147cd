import type { KafkaError } from '../../sidecar/kafka/errors.ts'
import type { RecordProducer } from '../../sidecar/kafka/producer.ts'
import type { KafkaRecord } from '../../sidecar/records/record.ts'

export function kafkaError(code: number): KafkaError {
  return { code, name: `code_${code}`, message: `error ${code}` }
}

/** What a Kafka does with a record: takes it, refuses it, or says nothing. */
export type Judgement = 'taken' | KafkaError | 'silence'

/** A producer in front of a Kafka that a test makes up. Reports are handed over at a poll, as librdkafka's are. */
export class JudgingProducer<T> implements RecordProducer<T> {
  /** What Kafka took, in order. */
  readonly taken: KafkaRecord[] = []
  /** Attempts. */
  produced = 0
  judge: (record: KafkaRecord) => Judgement = () => 'taken'
  /** Set to have produce() refuse at once. */
  refuse: (record: KafkaRecord) => KafkaError | undefined = () => undefined
  exists: (topic: string) => boolean | KafkaError = () => true
  isClosed = false
  readonly #onReport: (token: T, error: KafkaError | undefined) => void
  readonly #inFlight: { record: KafkaRecord; token: T }[] = []

  constructor(onReport: (token: T, error: KafkaError | undefined) => void) {
    this.#onReport = onReport
  }

  produce(record: KafkaRecord, token: T): KafkaError | undefined {
    if (this.isClosed) throw new Error('produce() after close()')
    const refusal = this.refuse(record)
    if (refusal !== undefined) return refusal
    this.produced++
    this.#inFlight.push({ record, token })
    return undefined
  }

  poll(): void {
    for (let left = this.#inFlight.length; left > 0; left--) {
      const sent = this.#inFlight.shift()
      // What is told may make somebody abandon the rest.
      if (sent === undefined) return
      const judgement = this.judge(sent.record)
      if (judgement === 'silence') {
        this.#inFlight.push(sent)
        continue
      }
      if (judgement === 'taken') this.taken.push(sent.record)
      this.#onReport(sent.token, judgement === 'taken' ? undefined : judgement)
    }
  }

  topicExists(topic: string): Promise<boolean | KafkaError> {
    return Promise.resolve(this.exists(topic))
  }

  abandon(): T[] {
    return this.#inFlight.splice(0).map(({ token }) => token)
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}
