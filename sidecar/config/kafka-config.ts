import type { KafkaProperties, PropertyCheck } from '../kafka/properties.ts'
import { masked, nearest, type Mistake } from './errors.ts'

/** Prefix of the variables that stand for librdkafka properties. */
export const KAFKA_CONFIG_PREFIX = 'KAFKA_CONFIG_'

/** Asks librdkafka about a property. */
export type CheckProperty = (name: string, value: string) => PropertyCheck

/** A librdkafka property as the user set it, and where. */
interface UserProperty {
  readonly property: string
  readonly value: string
  readonly variable: string
}

/** `KAFKA_CONFIG_SECURITY_PROTOCOL` is `security.protocol`. */
export function propertyOfVariable(variable: string): string {
  return variable.slice(KAFKA_CONFIG_PREFIX.length).toLowerCase().replaceAll('_', '.')
}

/**
 * Collects the user's librdkafka properties from variables and file, checks each with librdkafka, and sorts them into
 * the two places where node-rdkafka wants them.
 * @param variables `KAFKA_CONFIG_<NAME>` only; they win over the file
 * @param file properties of KAFKA_CONFIG_FILE
 * @param reserved properties that cannot be set, with the reason
 * @returns the properties, and everything that was wrong with them
 */
export function kafkaProperties(
  variables: Readonly<Record<string, string>>,
  file: Readonly<Record<string, string>>,
  check: CheckProperty,
  reserved: ReadonlyMap<string, string>
): { properties: KafkaProperties; mistakes: Mistake[] } {
  const merged = new Map<string, UserProperty>()
  for (const [property, value] of Object.entries(file)) {
    merged.set(property, { property, value, variable: `${property} in KAFKA_CONFIG_FILE` })
  }
  for (const [variable, value] of Object.entries(variables)) {
    const property = propertyOfVariable(variable)
    merged.set(property, { property, value, variable })
  }
  const mistakes: Mistake[] = []
  const global: Record<string, string> = {}
  const topic: Record<string, string> = {}
  for (const { property, value, variable } of merged.values()) {
    const reason = reserved.get(property)
    const answer = reason === undefined ? check(property, value) : { error: `cannot be set: ${reason}` }
    if ('level' in answer) (answer.level === 'topic' ? topic : global)[property] = value
    else if (answer.error.startsWith('No such')) {
      // A misspelt name may be that of a secret: its value is not shown.
      mistakes.push({ variable, advice: unknownProperty(property) })
    } else mistakes.push({ variable, value: masked(property, value), advice: answer.error })
  }
  return { properties: { global, topic }, mistakes }
}

function unknownProperty(property: string): string {
  const meant = nearest(property, COMMON_PROPERTIES)
  return `librdkafka has no property ${property}${meant === undefined ? '' : `; did you mean ${meant}?`} (see librdkafka's CONFIGURATION.md)`
}

/** What people set, for the guess at what was meant. */
const COMMON_PROPERTIES = [
  'acks',
  'batch.size',
  'client.id',
  'client.rack',
  'compression.codec',
  'compression.level',
  'compression.type',
  'connections.max.idle.ms',
  'debug',
  'enable.idempotence',
  'enable.ssl.certificate.verification',
  'linger.ms',
  'max.in.flight.requests.per.connection',
  'partitioner',
  'reconnect.backoff.max.ms',
  'reconnect.backoff.ms',
  'request.timeout.ms',
  'retries',
  'retry.backoff.ms',
  'sasl.mechanism',
  'sasl.mechanisms',
  'sasl.password',
  'sasl.username',
  'security.protocol',
  'socket.timeout.ms',
  'ssl.ca.location',
  'ssl.ca.pem',
  'ssl.certificate.location',
  'ssl.certificate.pem',
  'ssl.endpoint.identification.algorithm',
  'ssl.key.location',
  'ssl.key.password',
  'ssl.key.pem',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'topic.metadata.propagation.max.ms'
] as const
