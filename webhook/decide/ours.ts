import { isRecord, list, record, type RawPod } from '../pod.ts'

/** Name of the sidecar's container. */
export const CONTAINER = 'inference-logger'
/** Name of the port of metrics and probes, which a PodMonitor selects. */
export const METRICS_PORT = 'il-metrics'
/** Names of the sidecar's volumes. */
export const VOLUMES = {
  journal: 'inference-logger-journal',
  kafkaConfig: 'inference-logger-kafka-config',
  kafkaCa: 'inference-logger-kafka-ca'
} as const

/** The sidecar in a pod, or something else that has its name. */
export type Found =
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'native'; readonly index: number; readonly restartPolicy: boolean }
  | { readonly kind: 'container' }

/**
 * Looks for the sidecar. What it is, not an annotation, tells: somebody copies a running pod's annotations into a
 * template, and other webhooks change what they like, but not the command and the port's name.
 */
export function findSidecar(pod: RawPod): Found {
  const spec = record(pod['spec'])
  const named = (containers: unknown): number =>
    Array.isArray(containers) ? containers.findIndex(container => record(container)['name'] === CONTAINER) : -1
  const native = named(spec['initContainers'])
  const plain = named(spec['containers'])
  if (native === -1 && plain === -1) return { kind: 'none' }
  const container = ((native === -1 ? spec['containers'] : spec['initContainers']) as unknown[])[
    Math.max(native, plain)
  ]
  if (!isRecord(container) || !isOurs(container)) return { kind: 'foreign' }
  if (native === -1) return { kind: 'container' }
  return { kind: 'native', index: native, restartPolicy: container['restartPolicy'] === 'Always' }
}

function isOurs(container: Readonly<Record<string, unknown>>): boolean {
  const { args } = container
  return (
    Array.isArray(args) && args[0] === 'sidecar' && list(container['ports']).some(({ name }) => name === METRICS_PORT)
  )
}
