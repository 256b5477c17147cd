import { parseConfig, type Config } from '../../sidecar/config/config.ts'
import { ConfigError } from '../../sidecar/config/errors.ts'
import { variables } from '../../sidecar/config/variables.ts'
import { KafkaProducer } from '../../sidecar/kafka/producer.ts'
import { producerProperties, type KafkaProperties } from '../../sidecar/kafka/properties.ts'
import { topicCreator } from '../../sidecar/kafka/topics.ts'
import type { RecordFormat } from '../../sidecar/records/record.ts'
import { realSources } from '../config-sources.ts'
import { Notices } from '../tail/notices.ts'
import { visible } from '../tail/visible.ts'
import { plural, type Listing } from './list.ts'
import { Replay } from './replay.ts'
import { isSelected, type Selection } from './selection.ts'
import { UsageError } from './usage-error.ts'

/** What is replayed, and where to. */
export interface ReplayTarget {
  readonly folder: string
  /** What is in the folder and was selected. */
  readonly listing: Listing
  readonly selection: Selection
  /** Instead of each dead letter's own. */
  readonly topic: string | undefined
  readonly format: RecordFormat | undefined
  /** The files stay as they are. */
  readonly keep: boolean
  readonly brokers: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly print: (text: string) => Promise<void>
  readonly notice: (line: string) => void
}

const POLL_MS = 5

/**
 * Sends the selected dead letters to Kafka.
 * @returns whether all of them were delivered
 * @throws {UsageError} for settings that cannot work
 */
export async function replayTo(target: ReplayTarget): Promise<boolean> {
  const config = kafkaConfig(target.brokers, target.env)
  const properties = replayProperties(config, target.listing)
  const notices = new Notices(target.notice)
  const replay = new Replay({
    folder: target.folder,
    isMeant: letter => isSelected(letter, target.selection),
    topic: target.topic,
    format: target.format,
    keep: target.keep,
    ensureTopic: config.createTopics
      ? topicCreator(properties, {
          partitions: config.topicPartitions,
          replicationFactor: config.topicReplicationFactor
        })
      : undefined,
    print: target.print
  })
  const producer = await KafkaProducer.start<number>(properties, {
    onReport: (token, error) => replay.onReport(token, error),
    onError: error => notices.say(error.name, `Kafka: ${visible(error.message)}`),
    onLog: ({ severity, fac, message }) => {
      if (severity <= 4) notices.say(fac, `Kafka: ${visible(message.replace(/^\[thrd:[^\]]*\]:\s*/, ''))}`)
    },
    onStatistics: () => {}
  })
  const polling = setInterval(() => producer.poll(), POLL_MS)
  try {
    const { delivered, refused, unsent, unremoved } = await replay.run(producer)
    const parts = [
      `${delivered} delivered`,
      ...(refused > 0 ? [`${refused} refused again`] : []),
      ...(unsent > 0 ? [`${unsent} not sent`] : [])
    ]
    const left = target.keep ? 'the files stay as they are' : 'what was delivered is removed from the files'
    const kept = unremoved > 0 ? `${plural(unremoved, 'delivered dead letter')} could not be removed` : left
    await target.print(`${parts.join(', ')}; ${kept}\n`)
    return refused === 0 && unsent === 0 && unremoved === 0
  } finally {
    clearInterval(polling)
    producer.abandon()
    await producer.close()
  }
}

/** A record in a batch of its own is refused for itself. The largest of them must not be refused by our own producer. */
function replayProperties(config: Config, { letters }: Listing): KafkaProperties {
  const sizes = letters.map(({ letter, size }) => Math.max(letter.record.maxEventBytes, size))
  const properties = producerProperties({
    brokers: config.brokers,
    user: config.kafka,
    maxEventBytes: Math.max(...sizes),
    inFlightMaxRecords: config.inFlightMaxRecords,
    createTopics: config.createTopics,
    clientId: 'inference-logger-dead-letters'
  })
  return {
    ...properties,
    global: { ...properties.global, 'batch.num.messages': 1, 'linger.ms': 0, 'statistics.interval.ms': 0 }
  }
}

/**
 * Kafka's settings, by the parser of the sidecar: in its container the environment is right as it is.
 * @throws {UsageError} that lists every mistake
 */
function kafkaConfig(brokers: string | undefined, env: NodeJS.ProcessEnv): Config {
  if (brokers === undefined || brokers === '')
    throw new UsageError('where is Kafka? Give --brokers, or set KAFKA_BROKERS')
  const { topicPartitions, topicReplicationFactor, createTopics } = variables
  const names = [topicPartitions, topicReplicationFactor, createTopics].flatMap(({ name, aliases }) => [
    name,
    ...(aliases ?? [])
  ])
  const ours = Object.entries(env).filter(([name]) => names.includes(name) || name.startsWith('KAFKA_CONFIG_'))
  try {
    return parseConfig('sidecar', realSources({ ...Object.fromEntries(ours), KAFKA_BROKERS: brokers }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new UsageError(error.message.replace(/^KAFKA_BROKERS=/m, '--brokers '), { cause: error })
  }
}
