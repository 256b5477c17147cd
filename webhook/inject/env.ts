import type { EnvVar } from 'kubernetes-types/core/v1.js'
import { formatAddress } from '../../sidecar/config/addresses.ts'
import { annotations, type Annotation, type AnnotationName } from '../annotations/table.ts'
import type { ParsedOptions } from '../annotations/parse.ts'
import type { Listen } from '../decide/sink.ts'
import type { Settings } from '../settings/settings.ts'
import type { EndOfLife } from './grace-period.ts'
import { mountedPath } from './volumes.ts'

/** What the environment of a sidecar follows from. */
export interface EnvInput {
  readonly settings: Settings
  readonly parsed: ParsedOptions
  readonly listen: Listen
  readonly end: EndOfLife
  /** The label that says which InferenceService the pod is of. */
  readonly serviceLabel: string
  readonly kafkaConfigKey: string | undefined
}

/** Variables from the pod itself (downward API), by the field that they come from. */
function downward(serviceLabel: string): readonly EnvVar[] {
  const fields: readonly (readonly [string, string])[] = [
    ['POD_NAME', 'metadata.name'],
    ['POD_NAMESPACE', 'metadata.namespace'],
    ['NODE_NAME', 'spec.nodeName'],
    ['INFERENCE_SERVICE_NAME', `metadata.labels['${serviceLabel}']`],
    ['COMPONENT', "metadata.labels['component']"],
    ['REVISION', "metadata.labels['serving.knative.dev/revision']"]
  ]
  return fields.map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }))
}

/** `security.protocol` is KAFKA_CONFIG_SECURITY_PROTOCOL. */
function kafkaVariable(property: string): string {
  return `KAFKA_CONFIG_${property.toUpperCase().replaceAll('.', '_')}`
}

const MI = 2 ** 20

/**
 * V8 does not count on what is beside its heap, and is late to collect the buffers of large bodies: with a bound of half
 * the container's memory it is not. Measured with bodies of 1 MB at full speed against a full journal: at 128Mi killed
 * without it, a peak of 88 MiB with it.
 * @param limit of the container's memory, bytes
 */
function nodeOptions(limit: number): string {
  const semiSpace = limit < 192 * MI ? 1 : 4
  return `--max-semi-space-size=${semiSpace} --max-old-space-size=${Math.floor(limit / 2 / MI)}`
}

/** Makes the sidecar's environment: see docs/configuration.md for what each means. */
export function environment(input: EnvInput): readonly EnvVar[] {
  const { settings, parsed, listen, end, serviceLabel, kafkaConfigKey } = input
  const env: EnvVar[] = [
    ...downward(serviceLabel),
    { name: 'KAFKA_BROKERS', value: parsed.texts.brokers ?? settings.kafka.brokers }
  ]
  if (kafkaConfigKey !== undefined)
    env.push({ name: 'KAFKA_CONFIG_FILE', value: mountedPath('kafkaConfig', kafkaConfigKey) })
  const { ca } = settings.kafka
  if (ca !== undefined) env.push({ name: kafkaVariable('ssl.ca.location'), value: mountedPath('kafkaCa', ca.key) })
  for (const [property, value] of Object.entries(settings.kafka.config))
    env.push({ name: kafkaVariable(property), value })
  env.push(
    { name: 'INFERENCE_LOGGER_LISTEN', value: listen.hosts.map(host => formatAddress(host, listen.port)).join(',') },
    // Both families: the kubelet and Prometheus come to the pod's address, which may be IPv6 only.
    { name: 'INFERENCE_LOGGER_OPS_LISTEN', value: `[::]:${settings.metricsPort}` },
    { name: 'INFERENCE_LOGGER_DRAIN_IDLE', value: `${end.drainIdleSeconds}s` },
    { name: 'INFERENCE_LOGGER_GRACE_PERIOD', value: `${end.graceSeconds}s` }
  )
  for (const [name, { variable }] of Object.entries(annotations as Record<AnnotationName, Annotation>)) {
    const value = parsed.texts[name as AnnotationName]
    if (variable !== undefined && value !== undefined && name !== 'brokers') env.push({ name: variable, value })
  }
  const { 'memory-limit': memory } = parsed.options
  if (memory !== undefined && settings.env['NODE_OPTIONS'] === undefined) {
    env.push({ name: 'NODE_OPTIONS', value: nodeOptions(memory.value) })
  }
  for (const [name, value] of Object.entries(settings.env)) env.push({ name, value })
  return env
}
