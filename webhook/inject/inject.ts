import type { Container } from 'kubernetes-types/core/v1.js'
import type { ParsedOptions } from '../annotations/parse.ts'
import { EMPTY_DIR } from '../annotations/parse.ts'
import { ORIGINAL_GRACE_ANNOTATION, STATUS_ANNOTATION } from '../annotations/table.ts'
import { SERVICE_LABELS } from '../decide/decide.ts'
import type { Listen } from '../decide/sink.ts'
import { labelsOf, record, type RawPod } from '../pod.ts'
import type { Report } from '../review.ts'
import type { MountedKey, Settings } from '../settings/settings.ts'
import { sidecarContainer } from './container.ts'
import { environment } from './env.ts'
import { endOfLife, type EndOfLife } from './grace-period.ts'
import { isNative } from './native.ts'
import { statusText } from './status.ts'
import { volumesOf } from './volumes.ts'

/** The sidecar for one pod, whole, before anything is changed. */
export interface SidecarPlan {
  readonly native: boolean
  readonly end: EndOfLife
  readonly container: Container
  readonly volumes: ReturnType<typeof volumesOf>['volumes']
}

/** Plans the sidecar of a pod. */
export function planSidecar(pod: RawPod, settings: Settings, parsed: ParsedOptions, listen: Listen): SidecarPlan {
  const { options } = parsed
  const native = isNative(pod, settings, options['native-sidecar'])
  const end = endOfLife(pod, settings, native, options['termination-grace-period-seconds'])
  const kafkaConfig = kafkaConfigOf(settings, options['kafka-config-secret'])
  const { volumes, mounts } = volumesOf(settings, options, kafkaConfig)
  const labels = labelsOf(pod)
  const serviceLabel = SERVICE_LABELS.find(label => labels[label] !== undefined) ?? SERVICE_LABELS[0]
  const env = environment({ settings, parsed, listen, end, serviceLabel, kafkaConfigKey: kafkaConfig?.key })
  return { native, end, container: sidecarContainer({ pod, settings, options, native, env, mounts }), volumes }
}

function kafkaConfigOf({ kafka: { configSecret } }: Settings, name: string | undefined): MountedKey | undefined {
  return name === undefined ? configSecret : { kind: 'secret', name, key: configSecret?.key ?? 'kafka.properties' }
}

/**
 * Puts the sidecar into a pod.
 * @returns a new pod; parts that are not changed are the same objects
 */
export function withSidecar(
  pod: RawPod,
  plan: SidecarPlan,
  settings: Settings,
  parsed: ParsedOptions,
  report: Report
): RawPod {
  const spec = record(pod['spec'])
  const { native, end, container, volumes } = plan
  const containers = native
    ? { initContainers: insertNative(arrayOf(spec['initContainers']), container) }
    : { containers: [...arrayOf(spec['containers']), container] }
  const raised = end.after > end.before
  const status = statusText(report, native ? 'native' : 'container')
  return {
    ...annotated(pod, {
      [STATUS_ANNOTATION]: status,
      ...(raised ? { [ORIGINAL_GRACE_ANNOTATION]: String(end.before) } : {})
    }),
    spec: {
      ...spec,
      ...containers,
      volumes: [...arrayOf(spec['volumes']), ...volumes],
      ...(raised ? { terminationGracePeriodSeconds: end.after } : {}),
      ...pullSecrets(spec, settings),
      ...fsGroup(spec, settings, parsed)
    }
  }
}

/**
 * Where a native sidecar goes. After the last one that is there: a mesh's proxy has to start before it and end after it, or
 * Kafka could not be reached for the last events. Otherwise first: before an init container redirects the pod's network
 * to a proxy that starts much later (istio-init), for then the startup probe would never get through.
 */
function insertNative(initContainers: readonly unknown[], container: Container): unknown[] {
  const last = initContainers.findLastIndex(each => record(each)['restartPolicy'] === 'Always')
  return initContainers.toSpliced(last + 1, 0, container)
}

function pullSecrets(spec: Readonly<Record<string, unknown>>, { imagePullSecrets }: Settings): object {
  const present = arrayOf(spec['imagePullSecrets'])
  const missing = imagePullSecrets.filter(name => !present.some(each => record(each)['name'] === name))
  return missing.length === 0 ? {} : { imagePullSecrets: [...present, ...missing.map(name => ({ name }))] }
}

/** A new claim's volume belongs to root, unless the pod has an fsGroup. */
function fsGroup(spec: Readonly<Record<string, unknown>>, settings: Settings, { options }: ParsedOptions): object {
  const claimed = (options['journal-volume'] ?? EMPTY_DIR) !== EMPTY_DIR
  const context = record(spec['securityContext'])
  if (!claimed || settings.journal.fsGroup === undefined || context['fsGroup'] !== undefined) return {}
  return { securityContext: { ...context, fsGroup: settings.journal.fsGroup } }
}

/** Adds annotations to a pod. */
export function annotated(pod: RawPod, added: Readonly<Record<string, string>>): RawPod {
  const metadata = record(pod['metadata'])
  return { ...pod, metadata: { ...metadata, annotations: { ...record(metadata['annotations']), ...added } } }
}

/** Gives an injected init container back what makes it a sidecar. */
export function withRestartPolicy(pod: RawPod, index: number): RawPod {
  const spec = record(pod['spec'])
  const initContainers = arrayOf(spec['initContainers'])
  const repaired = { ...record(initContainers[index]), restartPolicy: 'Always' }
  return { ...pod, spec: { ...spec, initContainers: initContainers.with(index, repaired) } }
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
