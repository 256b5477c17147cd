import { integer, oneOf, parseBoolean, ValueError } from '../../sidecar/config/units.ts'
import { variables, type Settings as SidecarSettings, type Variable } from '../../sidecar/config/variables.ts'
import { parseCpu, parseMemory } from './quantity.ts'

/** In front of every annotation of ours, and of the namespace's label. */
export const PREFIX = 'inference-logger.io/'

/** One annotation: the parser, the errors, the settings' `defaults` and docs/annotations.md all come from this. */
export interface Annotation<T = unknown> {
  /** @throws {ValueError} whose message says what is allowed */
  readonly parse: (text: string) => T
  /** As an annotation would have it; undefined: the sidecar's own default, or none. */
  readonly default?: string
  /** What it means, for docs/annotations.md. */
  readonly doc: string
  /** The environment variable of the sidecar that it becomes, as it is written. */
  readonly variable?: string
  /** false: a team may use it only where the settings' `annotations.allow` names it. */
  readonly allowed: boolean
  /** false: it is about one pod, and cannot be in the settings' `defaults`. */
  readonly hasDefault?: false
}

function define<T>(annotation: Annotation<T>): Annotation<T> {
  return annotation
}

/** An annotation that sets a variable of the sidecar, with its parser and its words. */
function sidecar<K extends keyof SidecarSettings>(
  key: K,
  allowed = true,
  doc?: string
): Annotation<SidecarSettings[K]> {
  const variable = variables[key] as Variable<SidecarSettings[K]>
  const { parse, name } = variable
  const fallback = typeof variable.default === 'object' ? variable.default.sidecar : variable.default
  return {
    parse,
    variable: name,
    doc: doc ?? variable.doc,
    allowed,
    ...(fallback === undefined ? {} : { default: fallback })
  }
}

/** An image's name as a container runtime takes it: no blanks, and not empty. */
function image(text: string): string {
  if (!/^[^\s]+$/.test(text)) throw new ValueError('an image: registry/name:tag or registry/name@digest')
  return text
}

/** A name that Kubernetes takes for a Secret or a volume's claim template (RFC 1123). */
function kubernetesName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) {
    throw new ValueError('a Kubernetes name: lower case letters, digits, hyphens and dots')
  }
  return text
}

/** Every annotation that a pod may have, by the name behind {@link PREFIX}. The order is the order of the documentation. */
export const annotations = {
  inject: define({
    parse: parseBoolean,
    allowed: true,
    hasDefault: false,
    doc: '`"true"`: inject, wherever the logger’s URL leads (the sidecar then listens on the settings’ `port`, unless the URL is on loopback). `"false"`: never inject.'
  }),
  topic: sidecar('topic'),
  'topic-partitions': sidecar('topicPartitions'),
  'topic-replication-factor': sidecar('topicReplicationFactor'),
  'create-topics': sidecar('createTopics'),
  'max-topics': sidecar('maxTopics'),
  format: sidecar('format'),
  key: sidecar('key'),
  'header-decoding': sidecar('headerDecoding'),
  durability: sidecar('durability'),
  'ack-timeout': sidecar('ackTimeout'),
  'journal-max-bytes': sidecar('journalMaxBytes'),
  'journal-volume': define({
    parse: kubernetesName,
    default: 'emptydir',
    allowed: true,
    doc: 'Where the journal is: `emptydir` (survives containers, not the pod), or the name of one of the settings’ `journal.claimTemplates`.'
  }),
  'when-full': sidecar('whenFull'),
  'when-journal-fails': sidecar('whenJournalFails'),
  'max-event-bytes': sidecar('maxEventBytes'),
  'memory-max-bytes': sidecar('memoryMaxBytes'),
  'dead-letter-topic': sidecar('deadLetterTopic'),
  'dead-letter-max-bytes': sidecar('deadLetterMaxBytes'),
  'log-level': sidecar('logLevel'),
  'native-sidecar': define({
    parse: oneOf('auto', 'always', 'never'),
    default: 'auto',
    allowed: true,
    doc: 'A native sidecar (an init container with `restartPolicy: Always`) starts before the model and ends after KServe’s agent. `auto`: where the cluster has Kubernetes 1.29 and KServe 0.12; `never`: the last ordinary container.'
  }),
  'cpu-request': define({ parse: parseCpu, default: '50m', allowed: true, doc: 'CPU request of the sidecar.' }),
  'cpu-limit': define({ parse: parseCpu, default: '1', allowed: true, doc: 'CPU limit of the sidecar.' }),
  'memory-request': define({
    parse: parseMemory,
    default: '128Mi',
    allowed: true,
    doc: 'Memory request of the sidecar.'
  }),
  'memory-limit': define({ parse: parseMemory, default: '256Mi', allowed: true, doc: 'Memory limit of the sidecar.' }),
  'termination-grace-period-seconds': define({
    parse: integer(1, 86_400),
    allowed: true,
    doc: 'The pod’s grace period is raised to at least this, instead of to KServe’s drain and a flush. It is never shortened.'
  }),
  'image-pull-policy': define({
    parse: oneOf('Always', 'IfNotPresent', 'Never'),
    default: 'IfNotPresent',
    allowed: true,
    doc: 'When the sidecar’s image is pulled.'
  }),
  brokers: {
    ...sidecar('brokers', false, 'Kafka bootstrap servers, instead of the settings’ `kafka.brokers`.'),
    hasDefault: false
  },
  'kafka-config-secret': define({
    parse: kubernetesName,
    allowed: false,
    hasDefault: false,
    doc: 'A Secret in the pod’s namespace with a properties file for librdkafka, instead of the settings’ `kafka.configSecret`; the key stays, or is `kafka.properties`.'
  }),
  image: define({
    parse: image,
    allowed: false,
    hasDefault: false,
    doc: 'The sidecar’s image, instead of the settings’ `image`.'
  })
} as const

/** The name of an annotation, behind the prefix. */
export type AnnotationName = keyof typeof annotations

/** Annotations that the webhook writes: on the pod that it gives back, and so also on one that it sees again. */
export const STATUS_ANNOTATION = `${PREFIX}status`
export const ORIGINAL_GRACE_ANNOTATION = `${PREFIX}original-termination-grace-period-seconds`

/** Values for one pod: parsed, from its annotations, the settings' defaults, and this table's. */
export type Options = {
  readonly [K in AnnotationName]: ReturnType<(typeof annotations)[K]['parse']> | undefined
}
