import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import { Delivery, type InFlight, type ProducerCallbacks } from './delivery/delivery.ts'
import { KafkaProducer, type RecordProducer } from './kafka/producer.ts'
import { producerProperties } from './kafka/properties.ts'
import { topicCreator } from './kafka/topics.ts'
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
import { MemoryStore } from './store/memory-store.ts'
import type { EventStore } from './store/store.ts'
import { buildInfo } from './version.ts'

/** -150, _FATAL: librdkafka's producer will not send anything any more. */
const FATAL = -150

/** A running logger: receiver → store → delivery → Kafka, with its ops server. */
export class Sidecar {
  readonly #config: Config
  readonly #logger: Logger
  readonly #ledger = new Ledger()
  readonly #store: EventStore
  readonly #observers: Observers
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
    this.#store = new MemoryStore(config.memoryMaxBytes)
    this.#observers = new Observers(this.#ledger, () => this.#metrics, logger)
    const properties = producerProperties({
      brokers: config.brokers,
      user: config.kafka,
      maxEventBytes: config.maxEventBytes,
      inFlightMaxRecords: config.inFlightMaxRecords,
      createTopics: config.createTopics,
      clientId: config.podName === '' ? 'inference-logger' : `inference-logger-${config.podName}`
    })
    this.#delivery = new Delivery({
      store: this.#store,
      observer: this.#observers,
      buildRecord: stored => buildRecord(stored, config),
      createProducer: callbacks => this.#createProducer(properties, callbacks),
      ensureTopic: config.createTopics
        ? topicCreator(properties, {
            partitions: config.topicPartitions,
            replicationFactor: config.topicReplicationFactor
          })
        : undefined,
      inFlightMaxBytes: config.inFlightMaxBytes,
      inFlightMaxRecords: config.inFlightMaxRecords
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
      gracePeriodMs: this.#config.gracePeriod
    })
    await this.#close()
    return result
  }

  async #close(): Promise<void> {
    this.#state = 'stopped'
    await this.#receiver.stop(0)
    await this.#delivery.stop()
    await this.#ops.stop()
  }

  #createProducer(
    properties: ReturnType<typeof producerProperties>,
    callbacks: ProducerCallbacks
  ): Promise<RecordProducer<InFlight>> {
    return KafkaProducer.start<InFlight>(properties, {
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
      oldestReceivedAt: this.#store.oldestReceivedAt()
    }
  }
}
