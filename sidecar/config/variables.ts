import { parseTopicTemplate } from '../records/topic.ts'
import { parseBrokers, parseListen, parseListenOne } from './addresses.ts'
import { integer, oneOf, parseBoolean, parseBytes, parseDuration, parsePositiveDuration, ValueError } from './units.ts'

/** INFERENCE_LOGGER_JOURNAL_DIR when it is not set. */
export const DEFAULT_JOURNAL_DIR = '/var/lib/inference-logger'

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

/** A template without a placeholder. */
function topicName(text: string): string {
  const legal = 'a topic name of at most 249 letters, digits, dots, underscores and hyphens'
  if (text.includes('{')) throw new ValueError(`${legal}, without placeholders`)
  try {
    return parseTopicTemplate(text).text
  } catch {
    throw new ValueError(legal)
  }
}

/** A NUL cannot be in a path: every call would throw. */
function path(text: string): string {
  if (text.includes('\0')) throw new ValueError('the path of a directory')
  return nonEmpty(text)
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
    default: 'journal',
    parse: oneOf('memory', 'journal', 'fsync', 'kafka'),
    doc: 'When an event is answered 200: `memory`, when it is in the bounded queue; `journal`, when it is written to the journal, which survives the process; `fsync`, when the journal is on the disk, which survives the node; `kafka`, when all in-sync replicas have it. See [durability](durability.md).'
  }),
  journalDir: define({
    name: 'INFERENCE_LOGGER_JOURNAL_DIR',
    default: DEFAULT_JOURNAL_DIR,
    parse: path,
    doc: 'Directory of the journal and of dead letters. It is made when it is missing, and belongs to one process at a time. It has to outlive the container: mount a volume there (an emptyDir does).'
  }),
  journalMaxBytes: define({
    name: 'INFERENCE_LOGGER_JOURNAL_MAX_BYTES',
    default: '256Mi',
    parse: parseBytes,
    doc: 'Bound of the journal’s files; what happens beyond it, `INFERENCE_LOGGER_WHEN_FULL` says. At least twice `INFERENCE_LOGGER_MAX_EVENT_BYTES`. The volume needs this, and `INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES` on top.'
  }),
  journalSegmentBytes: define({
    name: 'INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES',
    default: '8Mi',
    parse: parseBytes,
    doc: 'Size at which the journal begins a new file. A file is removed when all of its events are delivered. No file gets larger than a quarter of `INFERENCE_LOGGER_JOURNAL_MAX_BYTES`, unless for a single event.'
  }),
  whenFull: define({
    name: 'INFERENCE_LOGGER_WHEN_FULL',
    default: 'reject',
    parse: oneOf('reject', 'drop-oldest'),
    doc: 'When the bound of the journal (in durability `memory`: of the queue) is reached: `reject` answers 503, `drop-oldest` gives up the oldest events for new ones. What is dropped is counted in `events_dropped_total{reason="queue_full"}`.'
  }),
  whenJournalFails: define({
    name: 'INFERENCE_LOGGER_WHEN_JOURNAL_FAILS',
    default: 'memory',
    parse: oneOf('memory', 'reject'),
    doc: 'When the journal cannot be written (disk full, read-only, an I/O error): `memory` takes events as durability `memory` does, until it works again; `reject` answers 503. Either way the logger stays up and ready, and tries again every second.'
  }),
  ackTimeout: define({
    name: 'INFERENCE_LOGGER_ACK_TIMEOUT',
    default: '2s',
    parse: parseDuration,
    doc: 'Durability `kafka`: how long a 200 waits for Kafka. After that it is sent as in durability `fsync`, and the event is delivered later.'
  }),
  memoryMaxBytes: define({
    name: 'INFERENCE_LOGGER_MEMORY_MAX_BYTES',
    default: '32Mi',
    parse: parseBytes,
    doc: 'Bound of the events that wait for Kafka in memory, with their attributes and bookkeeping. What is beyond it waits in the journal alone; in durability `memory`, and while the journal fails, `INFERENCE_LOGGER_WHEN_FULL` says what happens.'
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
  stallTimeout: define({
    name: 'INFERENCE_LOGGER_STALL_TIMEOUT',
    default: '60s',
    parse: parsePositiveDuration,
    doc: 'The producer is replaced when records wait, a broker answers, and no delivery report came for this long.'
  }),
  deadLetterTopic: define({
    name: 'INFERENCE_LOGGER_DEAD_LETTER_TOPIC',
    parse: topicName,
    doc: 'A topic for a note of each event that Kafka refuses for good: its attributes, the reason, the first 16 KiB of its body. The whole event is kept in a file in any case. See [dead letters](dead-letters.md).'
  }),
  deadLetterMaxBytes: define({
    name: 'INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES',
    default: '64Mi',
    parse: parseBytes,
    doc: 'Bound of the files of dead letters, in `INFERENCE_LOGGER_JOURNAL_DIR`; beyond it the oldest are deleted, and counted. At least twice `INFERENCE_LOGGER_MAX_EVENT_BYTES`.'
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
  component: define({
    name: 'COMPONENT',
    default: '',
    parse: String,
    doc: 'Extension `component` of events that lack it.'
  }),
  revision: define({ name: 'REVISION', default: '', parse: String, doc: 'Extension `revision` of every event.' })
} as const

type Parsed<V> = V extends Variable<infer T> ? T : never

/** Settings that are undefined when their variable is not set. */
type Optional = 'kafkaConfigFile' | 'deadLetterTopic'

/** All settings, parsed: sizes in bytes, times in milliseconds. */
export type Settings = {
  readonly [K in keyof typeof variables]: K extends Optional
    ? Parsed<(typeof variables)[K]> | undefined
    : Parsed<(typeof variables)[K]>
}
