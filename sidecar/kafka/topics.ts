import Kafka from 'node-rdkafka'
import { kafkaErrorOf, type KafkaError } from './errors.ts'
import type { KafkaProperties } from './properties.ts'

/** How topics are created. */
export interface TopicSettings {
  readonly partitions: number
  readonly replicationFactor: number
}

/**
 * - `ready`: the topic was created, or was there, or is not ours to create: let records go and see
 * - `unanswered`: nobody said whether the topic is there
 * - `refused`: it could not be created
 */
export type EnsureOutcome = 'ready' | { readonly unanswered: KafkaError } | { readonly refused: KafkaError }

/** Asks Kafka whether a topic is there. Never throws: an error says that nobody answered. */
export type TopicExists = (topic: string) => Promise<boolean | KafkaError>

/** Makes sure that a topic is there before records are sent to it. Never throws. */
export type EnsureTopic = (topic: string, exists: TopicExists) => Promise<EnsureOutcome>

/** ms that one attempt may take, which an exit of the process has to wait for; an outage is waited for by trying again. */
const ATTEMPT_MS = 5000

/** TOPIC_ALREADY_EXISTS. */
const EXISTS = 36
/** TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED: Kafka looks at these before it looks whether the topic exists. */
const NOT_ALLOWED: ReadonlySet<number> = new Set([29, 31])

/** Properties of the producer that an admin client does not know or need. */
const PRODUCER_ONLY =
  /^(?:dr_cb|enable\.idempotence|linger\.ms|compression\.|queue\.buffering\.|message\.max\.bytes|statistics\.)/

/**
 * Makes an {@link EnsureTopic} that looks first, since most topics are there and creating needs a right that many
 * producers lack. What is missing is created through a short-lived admin client, one at a time: such a client is a
 * second librdkafka with threads of its own, nobody polls it, and ending it while a call is pending blocks the event loop.
 */
export function topicCreator({ global }: KafkaProperties, settings: TopicSettings): EnsureTopic {
  const properties = Object.fromEntries(Object.entries(global).filter(([name]) => !PRODUCER_ONLY.test(name)))
  let last: Promise<unknown> = Promise.resolve()
  return (topic, exists) => {
    const attempt = last.then(async () => {
      try {
        const found = await exists(topic)
        if (found === true) return 'ready'
        return found === false ? await createTopic(properties, topic, settings) : { unanswered: found }
      } catch (error) {
        // A rejection would end the chain: no topic would ever be looked at again.
        return { refused: kafkaErrorOf(error) }
      }
    })
    last = attempt
    return attempt
  }
}

async function createTopic(properties: object, topic: string, settings: TopicSettings): Promise<EnsureOutcome> {
  let client: Kafka.IAdminClient
  try {
    client = Kafka.AdminClient.create(properties)
  } catch (error) {
    return { refused: kafkaErrorOf(error) }
  }
  const wanted = { topic, num_partitions: settings.partitions, replication_factor: settings.replicationFactor }
  const failure = await new Promise<unknown>(resolve => client.createTopic(wanted, ATTEMPT_MS, resolve))
  client.disconnect()
  if (!failure) return 'ready'
  const error = kafkaErrorOf(failure)
  return error.code === EXISTS || NOT_ALLOWED.has(error.code) ? 'ready' : { refused: error }
}
