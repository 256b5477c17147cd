import { parseTopicTemplate } from '../records/topic.ts'
import { parseBrokers, parseListen, parseListenOne } from './addresses.ts'
import { integer, oneOf, parseBoolean, parseBytes, parseDuration, ValueError } from './units.ts'

/** The commands that read these variables; they differ only in defaults. */
export type Command = 'sidecar' | 'gateway'

/** One environment variable: the parser, the error messages and docs/configuration.md all come from this. */
export interface Variable<T> {
  readonly name: string
  /** Other spellings that keep working; `name` wins when both are set. */
  readonly aliases?: readonly string[]
  /** As it would be written in the environment; undefined: none. A pair where the commands differ. */
  readonly default?: string | Readonly<Record<Command, string>>
  /** @throws {ValueError} whose message says what is allowed */
  readonly parse: (text: string) => T
  /** What it means, for docs/configuration.md. */
  readonly doc: string
  /** The start stops when it is missing. */
  readonly required?: true
}

function define<T>(variable: Variable<T>): Variable<T> {
  return variable
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new ValueError('text that is not empty')
  return text
}

/** Kafka's -1; a topic without partitions or replicas cannot be, and would be refused again and again. */
function countOrBrokerDefault(max: number): (text: string) => number {
  const count = integer(1, max)
  return text => {
    if (text === '-1') return -1
    try {
      return count(text)
    } catch (error) {
      throw new ValueError(`${(error as Error).message}, or -1 for the broker’s default`)
    }
  }
}

/** Every setting, under the name it has in {@link Settings}. The order is the order of the documentation. */
export const variables = {
  brokers: define({
    name: 'KAFKA_BROKERS',
    required: true,
    parse: parseBrokers,
    doc: 'Kafka bootstrap servers, `host:port` separated by commas. Kafka being unreachable never stops a start.'
  }),
  topic: define({
    name: 'KAFKA_TOPIC',
    default: '{inferenceservicename}-inference-topic',
    parse: parseTopicTemplate,
    doc: 'Topic. `{inferenceservicename}`, `{namespace}`, `{component}` and `{type}` (`request`, `response` or `other`) are filled in per event.'
  }),
  topicPartitions: define({
    name: 'KAFKA_TOPIC_PARTITIONS',
    default: '1',
    parse: countOrBrokerDefault(100_000),
    doc: 'Partitions of a topic that is created; `-1`: the broker’s default.'
  }),
  topicReplicationFactor: define({
    name: 'KAFKA_TOPIC_REPLICATION_FACTOR',
    aliases: ['KAFKA_TOPIC_REPLICATIONFACTOR'],
    default: '1',
    parse: countOrBrokerDefault(32_767),
    doc: 'Replicas of a topic that is created; `-1`: the broker’s default. `KAFKA_TOPIC_REPLICATIONFACTOR`, as the original’s README spelt it, works too.'
  }),
  kafkaConfigFile: define({
    name: 'KAFKA_CONFIG_FILE',
    parse: nonEmpty,
    doc: 'A properties file with librdkafka properties, as mounted from a Secret. `KAFKA_CONFIG_<NAME>` wins over it.'
  }),
  createTopics: define({
    name: 'INFERENCE_LOGGER_CREATE_TOPICS',
    default: 'true',
    parse: parseBoolean,
    doc: 'Create topics that are missing. Where that is not allowed, events wait until the topic is there. `false` leaves it to the broker (`auto.create.topics.enable`) or to you.'
  }),
  maxTopics: define({
    name: 'INFERENCE_LOGGER_MAX_TOPICS',
    default: '100',
    parse: integer(1, 10_000),
    doc: 'Upper bound on distinct topics that a template may name in one process; an event for one more is answered 503.'
  }),
  listen: define({
    name: 'INFERENCE_LOGGER_LISTEN',
    default: { sidecar: '127.0.0.1:9480,[::1]:9480', gateway: '0.0.0.0:8080' },
    parse: parseListen,
    doc: 'Where events are taken. Port `0` picks one; the log line `ready` says which.'
  }),
  opsListen: define({
    name: 'INFERENCE_LOGGER_OPS_LISTEN',
    default: '0.0.0.0:9481',
    parse: parseListenOne,
    doc: '`/metrics`, `/healthz`, `/readyz`, `/status`.'
  }),
  format: define({
    name: 'INFERENCE_LOGGER_FORMAT',
    default: { sidecar: 'cloudevent', gateway: 'envelope' },
    parse: oneOf('cloudevent', 'structured', 'envelope'),
    doc: 'Record format: see [records](records.md).'
  }),
  key: define({
    name: 'INFERENCE_LOGGER_KEY',
    default: 'id',
    parse: oneOf('id', 'partitionkey', 'inferenceservicename', 'none'),
    doc: 'The attribute that becomes the record’s key. Without it (or with `none`) the record has no key.'
  }),
  headerDecoding: define({
    name: 'INFERENCE_LOGGER_HEADER_DECODING',
    default: 'auto',
    parse: oneOf('auto', 'strict', 'raw'),
    doc: 'Percent-decoding of `ce-` headers: `auto` where the whole value decodes to valid UTF-8, `strict` refuses what does not (HTTP binding 3.1.3.2), `raw` never. See [receiving](receiving.md).'
  }),
  durability: define({
    name: 'INFERENCE_LOGGER_DURABILITY',
    default: 'memory',
    parse: oneOf('memory'),
    doc: 'When an event is answered 200: `memory`, when it is in the bounded queue.'
  }),
  memoryMaxBytes: define({
    name: 'INFERENCE_LOGGER_MEMORY_MAX_BYTES',
    default: '32Mi',
    parse: parseBytes,
    doc: 'Bound of the events that wait for Kafka, with their attributes and bookkeeping. Beyond it events are answered 503.'
  }),
  maxEventBytes: define({
    name: 'INFERENCE_LOGGER_MAX_EVENT_BYTES',
    default: '10Mi',
    parse: parseBytes,
    doc: 'Largest request body; a larger one is answered 413.'
  }),
  inFlightMaxBytes: define({
    name: 'INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES',
    default: '8Mi',
    parse: parseBytes,
    doc: 'Bound of the records handed to librdkafka and not yet reported on, in bytes.'
  }),
  inFlightMaxRecords: define({
    name: 'INFERENCE_LOGGER_IN_FLIGHT_MAX_RECORDS',
    default: '8000',
    parse: integer(1, 1_000_000),
    doc: 'The same in records.'
  }),
  maxConnections: define({
    name: 'INFERENCE_LOGGER_MAX_CONNECTIONS',
    default: '1000',
    parse: integer(1, 100_000),
    doc: 'Connections taken at a time on each address; more are closed at once.'
  }),
  requestTimeout: define({
    name: 'INFERENCE_LOGGER_REQUEST_TIMEOUT',
    default: '30s',
    parse: parseDuration,
    doc: 'Time a sender has for a whole request; a slower one is answered 408. Headers get a third of it.'
  }),
  drainIdle: define({
    name: 'INFERENCE_LOGGER_DRAIN_IDLE',
    default: '10s',
    parse: parseDuration,
    doc: 'After SIGTERM events are still taken until none came for this long (KServe’s agent goes on for up to 30 s).'
  }),
  gracePeriod: define({
    name: 'INFERENCE_LOGGER_GRACE_PERIOD',
    default: '25s',
    parse: parseDuration,
    doc: 'Time from SIGTERM to the exit, at most. Keep it a few seconds below the pod’s `terminationGracePeriodSeconds`.'
  }),
  logLevel: define({
    name: 'INFERENCE_LOGGER_LOG_LEVEL',
    default: 'info',
    parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    doc: 'Level of the log on standard output (JSON lines).'
  }),
  podName: define({
    name: 'POD_NAME',
    default: '',
    parse: String,
    doc: 'Extension `pod` of every event (downward API `metadata.name`).'
  }),
  podNamespace: define({
    name: 'POD_NAMESPACE',
    default: '',
    parse: String,
    doc: 'Extension `namespace` of events that lack it.'
  }),
  nodeName: define({ name: 'NODE_NAME', default: '', parse: String, doc: 'Extension `node` of every event.' }),
  inferenceServiceName: define({
    name: 'INFERENCE_SERVICE_NAME',
    default: '',
    parse: String,
    doc: 'Extension `inferenceservicename` of events that lack it.'
  }),
  revision: define({ name: 'REVISION', default: '', parse: String, doc: 'Extension `revision` of every event.' })
} as const

type Parsed<V> = V extends Variable<infer T> ? T : never

/** Settings that are undefined when their variable is not set. */
type Optional = 'kafkaConfigFile'

/** All settings, parsed: sizes in bytes, times in milliseconds. */
export type Settings = {
  readonly [K in keyof typeof variables]: K extends Optional
    ? Parsed<(typeof variables)[K]> | undefined
    : Parsed<(typeof variables)[K]>
}
