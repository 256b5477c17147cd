import type { Logger } from 'pino'
import { attribute } from './cloudevents/event.ts'
import type { Config } from './config/config.ts'
import { DeadLetterObservers } from './dead-letter-observer.ts'
import type { PermanentReason } from './delivery/classify.ts'
import type { DeliveryObserver } from './delivery/delivery.ts'
import { DropLog } from './drop-log.ts'
import { JournalObservers, type Report } from './journal-observer.ts'
import { IncidentLog } from './logging/incidents.ts'
import { count, type Ledger } from './metrics/ledger.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { ReceiverObserver } from './receiver/handler.ts'
import type { RejectReason } from './receiver/replies.ts'
import type { KafkaError } from './kafka/errors.ts'
import type { LogLine } from './kafka/producer.ts'
import type { StoreDropReason, StoredEvent } from './store/store.ts'

/** What an operator should do about a rejected request; the reasons that are the sender's own affair have none. */
const REJECTION_ADVICE: Partial<Record<RejectReason, string>> = {
  journal_failed:
    'events are refused: the journal does not work, and INFERENCE_LOGGER_WHEN_JOURNAL_FAILS is reject; the error of the journal says what to do',
  too_many_topics: 'events are refused: KAFKA_TOPIC names more topics than INFERENCE_LOGGER_MAX_TOPICS allows',
  too_many_connections: 'connections are refused: more than INFERENCE_LOGGER_MAX_CONNECTIONS',
  event_too_large: 'an event is refused: its body is larger than INFERENCE_LOGGER_MAX_EVENT_BYTES'
}

/** The same when the bound is reached, by what is full. */
const FULL_ADVICE = {
  memory:
    'events are refused: the queue is full because Kafka does not take them; check Kafka, or raise INFERENCE_LOGGER_MEMORY_MAX_BYTES',
  journal:
    'events are refused: the journal is full because Kafka does not take them; check Kafka, or raise INFERENCE_LOGGER_JOURNAL_MAX_BYTES',
  memoryForJournal:
    'events are refused: the journal does not work, and the memory that stands in for it is full; the error of the journal says what to do'
} as const

/** What to do about a topic that cannot be created, by Kafka's error code. */
const TOPIC_ADVICE: Readonly<Record<number, string>> = {
  17: 'Kafka refuses the name; change KAFKA_TOPIC',
  37: 'set KAFKA_TOPIC_PARTITIONS to what the cluster allows',
  38: 'set KAFKA_TOPIC_REPLICATION_FACTOR to at most the number of brokers',
  44: 'the cluster has a policy for topics; follow it in KAFKA_TOPIC_PARTITIONS and KAFKA_TOPIC_REPLICATION_FACTOR, or create the topic yourself'
}

/** _TRANSPORT: a connection failed. */
const TRANSPORT = -195

/** What to do about an event that Kafka refuses for good. */
const REFUSAL_ADVICE: Readonly<Record<PermanentReason, string>> = {
  record_too_large: 'raise max.message.bytes of the topic',
  invalid_record: 'Kafka calls the record invalid; a compacted topic, for instance, takes no record without a key',
  internal_error: 'a fault in inference-logger; please report it'
}

/** The last thing that went wrong, for `/status`. */
export interface LastError {
  readonly at: string
  readonly message: string
}

/**
 * Turns what happens into counts and log lines: one line an incident and minute, never a payload.
 */
export class Observers implements ReceiverObserver, DeliveryObserver {
  /** What the journal tells of. */
  readonly journal: JournalObservers
  /** What the dead letters tell of. */
  readonly deadLetters: DeadLetterObservers
  readonly #ledger: Ledger
  readonly #metrics: () => Metrics
  readonly #durability: Config['durability']
  readonly #incidents: IncidentLog
  readonly #drops: DropLog
  lastError: LastError | undefined

  /** @param metrics the histograms' owner, which is made after this */
  constructor(
    ledger: Ledger,
    metrics: () => Metrics,
    logger: Logger,
    config: Pick<Config, 'durability' | 'whenJournalFails'>
  ) {
    this.#ledger = ledger
    this.#metrics = metrics
    this.#durability = config.durability
    this.#incidents = new IncidentLog(logger)
    this.#drops = new DropLog((fields, message) => {
      this.#remember(message)
      logger.error(fields, message)
    })
    const report: Report = (level, kind, fields, message) => this.#report(level, kind, fields, message)
    this.journal = new JournalObservers(ledger, metrics, config.whenJournalFails, report)
    this.deadLetters = new DeadLetterObservers(ledger, report)
  }

  received: ReceiverObserver['received'] = (kind, bytes) => {
    this.#ledger.received[kind]++
    this.#ledger.receivedBytes += bytes
  }

  acknowledged: ReceiverObserver['acknowledged'] = seconds => {
    this.#metrics().ackDuration.observe(seconds)
  }

  rejected: ReceiverObserver['rejected'] = reason => {
    count(this.#ledger.rejected, reason)
    const advice = reason === 'queue_full' ? this.#fullAdvice() : REJECTION_ADVICE[reason]
    if (advice === undefined)
      this.#report('info', `rejected ${reason}`, { reason }, `a request was rejected: ${reason}`)
    else this.#report('warn', `rejected ${reason}`, { reason }, advice)
  }

  irregular: ReceiverObserver['irregular'] = what => count(this.#ledger.irregular, what)

  failed: ReceiverObserver['failed'] = error => {
    const { stack, message } = error as Error
    this.#report('error', 'internal', { stack }, `a request failed because of a fault in inference-logger: ${message}`)
  }

  delivered: DeliveryObserver['delivered'] = (stored, seconds) => {
    this.#ledger.delivered++
    this.#ledger.deliveredBytes += stored.event.data.length
    this.#ledger.lastDeliveryAt = Date.now()
    this.#metrics().deliveryDuration.observe(Math.max(0, seconds))
  }

  deadLettered: DeliveryObserver['deadLettered'] = (stored, reason) => {
    count(this.#ledger.deadLettered, reason)
    this.#refused('dead-lettered', 'an event was set aside as a dead letter', stored, reason)
  }

  dropped: DeliveryObserver['dropped'] = (stored, reason) => {
    count(this.#ledger.dropped, reason)
    this.#refused('dropped', 'an event was dropped', stored, reason)
  }

  /** The store gave accepted events up. */
  storeDropped(reason: StoreDropReason, events: number): void {
    count(this.#ledger.dropped, reason, events)
    this.#drops.add(reason, events)
  }

  unbuildable: DeliveryObserver['unbuildable'] = ({ topic }, error) => {
    const { stack, message } = error as Error
    this.#report(
      'error',
      'unbuildable',
      { topic, stack },
      `no record could be made of an event; please report this: ${message}`
    )
  }

  attemptFailed: DeliveryObserver['attemptFailed'] = (topic, error) => {
    count(this.#ledger.kafkaErrors, error.name)
    this.#report(
      'warn',
      `attempt ${error.name} ${topic}`,
      { topic, code: error.code, error: error.message },
      'Kafka did not take a record'
    )
  }

  topicFailed: DeliveryObserver['topicFailed'] = (topic, error) => {
    count(this.#ledger.kafkaErrors, error.name)
    const advice = TOPIC_ADVICE[error.code] ?? 'check that Kafka is reachable'
    this.#report(
      TOPIC_ADVICE[error.code] === undefined ? 'warn' : 'error',
      `topic ${error.name} ${topic}`,
      { topic, code: error.code, error: error.message },
      `the topic ${topic} cannot be created (${error.message}): ${advice}; its events wait`
    )
  }

  rebuilding: DeliveryObserver['rebuilding'] = (error, inFlight) => {
    this.#ledger.producerRebuilds++
    this.#report('error', 'rebuild', { code: error.code, inFlight }, `the producer is replaced: ${error.message}`)
  }

  /** librdkafka spoke of a broker. It goes on trying by itself. */
  kafkaTrouble(error: KafkaError): void {
    count(this.#ledger.kafkaErrors, error.name)
    // The log line of a failed connection says more than its error, and comes with it.
    if (error.code === TRANSPORT) return
    this.#report('warn', `kafka ${error.name}`, { code: error.code }, `Kafka: ${error.message}`)
  }

  /** librdkafka's own log: what it calls an error or a warning. The broker's name and the cause stand only here. */
  kafkaLog({ severity, fac, message }: LogLine): void {
    if (severity > 4) return
    this.#report('warn', `librdkafka ${fac}`, { fac }, `Kafka: ${message.replace(/^\[thrd:[^\]]*\]:\s*/, '')}`)
  }

  #fullAdvice(): string {
    if (this.#durability === 'memory') return FULL_ADVICE.memory
    return this.journal.problem === undefined ? FULL_ADVICE.journal : FULL_ADVICE.memoryForJournal
  }

  #refused(kind: string, what: string, { event, topic, bytes }: StoredEvent, reason: PermanentReason): void {
    const id = attribute(event, 'id')
    const message = `${what}: ${REFUSAL_ADVICE[reason]}`
    this.#report('error', `${kind} ${reason} ${topic}`, { reason, topic, id, bytes }, message)
  }

  #remember(message: string): void {
    this.lastError = { at: new Date().toISOString(), message }
  }

  #report(level: 'info' | 'warn' | 'error', kind: string, fields: object, message: string): void {
    if (level !== 'info') this.#remember(message)
    this.#incidents.report(level, kind, fields, message)
  }
}
