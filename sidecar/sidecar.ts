import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import { DeadLetters } from './dead-letters/dead-letters.ts'
import { DEAD_LETTERS_FOLDER } from './dead-letters/names.ts'
import { DeadLetterTopic, noteProducerProperties } from './dead-letters/topic.ts'
import { Delivery } from './delivery/delivery.ts'
import type { KafkaError } from './kafka/errors.ts'
import { KafkaProducer, type RecordProducer } from './kafka/producer.ts'
import { producerProperties, type KafkaProperties } from './kafka/properties.ts'
import { topicCreator, type EnsureTopic } from './kafka/topics.ts'
import { Ledger } from './metrics/ledger.ts'
import { Metrics } from './metrics/metrics.ts'
import { parseStatistics, type RdkafkaStatistics } from './metrics/rdkafka.ts'
import { Observers } from './observers.ts'
import { OpsServer } from './ops/server.ts'
import { buildRecord } from './records/build.ts'
import { createEnricher } from './records/enrich.ts'
import { createHandler } from './receiver/handler.ts'
import { ReceiverServer } from './receiver/server.ts'
import { boundedTopics } from './receiver/topic-limit.ts'
import { drain, type DrainResult } from './shutdown.ts'
import { statusOf } from './status.ts'
import { createStore } from './store/create.ts'
import { JournalStore } from './store/journal-store.ts'
import type { EventStore } from './store/store.ts'
import { buildInfo } from './version.ts'

/** -150, _FATAL: librdkafka's producer will not send anything any more. */
const FATAL = -150

/** What a producer tells whoever it was made for. */
interface ReportCallbacks<T> {
  readonly onReport: (token: T, error: KafkaError | undefined) => void
  readonly onFatal: (error: KafkaError) => void
}

/** What is in flight cannot be given up: a window as large as the journal would leave `drop-oldest` nothing to drop. */
const IN_FLIGHT_SHARE = 1 / 4

function inFlightBytes({ durability, inFlightMaxBytes, journalMaxBytes }: Config): number {
  return durability === 'memory' ? inFlightMaxBytes : Math.min(inFlightMaxBytes, journalMaxBytes * IN_FLIGHT_SHARE)
}

/** ms that a reply may take at the end of the process, beside what it waits for Kafka. */
const REPLY_MS = 1000

/** ms between two bursts in durability `kafka`. */
const KAFKA_BURST_MS = 1

/** A running logger: receiver → store → delivery → Kafka, with its ops server. */
export class Sidecar {
  readonly #config: Config
  readonly #logger: Logger
  readonly #ledger = new Ledger()
  readonly #store: EventStore
  readonly #observers: Observers
  readonly #deadLetters: DeadLetters
  readonly #delivery: Delivery
  readonly #receiver: ReceiverServer
  readonly #ops: OpsServer
  readonly #metrics: Metrics
  readonly #build = buildInfo()
  readonly #startedAt = new Date()
  #statisticsJson: string | undefined
  #state: 'starting' | 'running' | 'draining' | 'stopped' = 'starting'
  #listen: readonly string[] = []
  #opsAddress = ''

  private constructor(config: Config, logger: Logger) {
    this.#config = config
    this.#logger = logger
    this.#observers = new Observers(this.#ledger, () => this.#metrics, logger, config)
    this.#store = createStore(config, this.#observers.journal)
    this.#store.onDropped = (reason, events) => this.#observers.storeDropped(reason, events)
    const properties = producerProperties({
      brokers: config.brokers,
      user: config.kafka,
      maxEventBytes: config.maxEventBytes,
      inFlightMaxRecords: config.inFlightMaxRecords,
      createTopics: config.createTopics,
      clientId: config.podName === '' ? 'inference-logger' : `inference-logger-${config.podName}`
    })
    const ensureTopic = config.createTopics
      ? topicCreator(properties, {
          partitions: config.topicPartitions,
          replicationFactor: config.topicReplicationFactor
        })
      : undefined
    this.#deadLetters = DeadLetters.open({
      folder: join(config.journalDir, DEAD_LETTERS_FOLDER),
      maxBytes: config.deadLetterMaxBytes,
      waitForFolder: config.durability !== 'memory',
      record: config,
      observer: this.#observers.deadLetters,
      topic: this.#deadLetterTopic(config, properties, ensureTopic)
    })
    this.#delivery = new Delivery({
      store: this.#store,
      observer: this.#observers,
      buildRecord: stored => buildRecord(stored, config),
      createProducer: callbacks => this.#createProducer(properties, callbacks),
      ensureTopic,
      deadLetter: (stored, refusal, done) => this.#deadLetters.keep(stored, refusal, done),
      inFlightMaxBytes: inFlightBytes(config),
      inFlightMaxRecords: config.inFlightMaxRecords,
      stallTimeoutMs: config.stallTimeout,
      // Where a sender waits for Kafka, so does its next event.
      ...(config.durability === 'kafka' ? { burstMs: KAFKA_BURST_MS } : {})
    })
    const handler = createHandler({
      store: this.#store,
      observer: this.#observers,
      enrich: createEnricher(config),
      topicOf: boundedTopics(config.topic, config.maxTopics),
      headerDecoding: config.headerDecoding,
      maxEventBytes: config.maxEventBytes
    })
    this.#receiver = new ReceiverServer(config.listen, config, handler, this.#observers.rejected)
    this.#metrics = new Metrics(
      this.#ledger,
      () => this.#gauges(),
      () => this.#statistics(),
      this.#build
    )
    this.#ops = new OpsServer(config.opsListen, {
      metrics: () => this.#metrics.render(),
      status: () => this.status(),
      ready: () => this.#state === 'running'
    })
  }

  /**
   * Starts everything. Kafka may be away.
   * @throws {Error} when an address cannot be listened on, or the Kafka properties cannot work whatever Kafka says
   */
  static async start(config: Config, logger: Logger): Promise<Sidecar> {
    const sidecar = new Sidecar(config, logger)
    try {
      await sidecar.#delivery.start()
      sidecar.#opsAddress = await sidecar.#ops.start()
      sidecar.#listen = await sidecar.#receiver.start()
    } catch (error) {
      await sidecar.#close()
      throw error
    }
    sidecar.#state = 'running'
    return sidecar
  }

  /** Where events are taken, `host:port`. */
  get listen(): readonly string[] {
    return this.#listen
  }

  /** Where `/metrics` and the rest are, `host:port`. */
  get opsAddress(): string {
    return this.#opsAddress
  }

  /** What `/status` answers. */
  status(): object {
    return statusOf({
      config: this.#config,
      build: this.#build,
      startedAt: this.#startedAt,
      state: this.#state,
      listen: this.#listen,
      store: this.#store,
      delivery: this.#delivery,
      ledger: this.#ledger,
      gauges: this.#gauges(),
      journalProblem: this.#observers.journal.problem,
      statistics: this.#statistics(),
      lastError: this.#observers.lastError
    })
  }

  /** The text of `/metrics`. */
  metrics(): Promise<string> {
    return this.#metrics.render()
  }

  /**
   * Ends in order: takes events until they cease, then delivers what is pending, within the grace period.
   * @returns what could not be delivered
   */
  async stop(): Promise<DrainResult> {
    this.#state = 'draining'
    const result = await drain({
      receiver: this.#receiver,
      store: this.#store,
      logger: this.#logger,
      drainIdleMs: this.#config.drainIdle,
      gracePeriodMs: this.#config.gracePeriod,
      replyMs: REPLY_MS + (this.#config.durability === 'kafka' ? this.#config.ackTimeout : 0)
    })
    await this.#close()
    return result
  }

  async #close(): Promise<void> {
    this.#state = 'stopped'
    await this.#receiver.stop(0)
    await this.#delivery.stop()
    await this.#deadLetters.close()
    await this.#store.close()
    await this.#ops.stop()
  }

  #deadLetterTopic(
    config: Config,
    properties: KafkaProperties,
    ensureTopic: EnsureTopic | undefined
  ): DeadLetterTopic | undefined {
    if (config.deadLetterTopic === undefined) return undefined
    return new DeadLetterTopic({
      topic: config.deadLetterTopic,
      key: config.key,
      ensureTopic,
      observer: this.#observers.deadLetters,
      createProducer: callbacks => this.#createProducer(noteProducerProperties(properties), callbacks)
    })
  }

  #createProducer<T>(properties: KafkaProperties, callbacks: ReportCallbacks<T>): Promise<RecordProducer<T>> {
    return KafkaProducer.start<T>(properties, {
      onReport: callbacks.onReport,
      onError: error => {
        if (error.code === FATAL) callbacks.onFatal(error)
        else this.#observers.kafkaTrouble(error)
      },
      onLog: line => this.#observers.kafkaLog(line),
      onStatistics: json => {
        this.#statisticsJson = json
      }
    })
  }

  /** Parsed when somebody asks, not when they come. */
  #statistics(): RdkafkaStatistics | undefined {
    return parseStatistics(this.#statisticsJson)
  }

  #gauges(): ReturnType<ConstructorParameters<typeof Metrics>[1]> {
    return {
      pendingEvents: this.#store.pendingEvents,
      pendingBytes: this.#store.pendingBytes,
      pendingLimitBytes: this.#store.limitBytes,
      inFlightRecords: this.#delivery.inFlightRecords,
      oldestReceivedAt: this.#store.oldestReceivedAt(),
      journal: this.#store instanceof JournalStore ? this.#store.journal : undefined,
      deadLetters: this.#deadLetters
    }
  }
}
