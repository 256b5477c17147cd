import type { Container, EnvVar, Probe, SecurityContext, VolumeMount } from 'kubernetes-types/core/v1.js'
import type { Options } from '../annotations/table.ts'
import { CONTAINER, METRICS_PORT } from '../decide/ours.ts'
import { record, type RawPod } from '../pod.ts'
import type { Settings } from '../settings/settings.ts'

/** The image's own user. */
const IMAGE_USER = 65532

/** What the sidecar's container follows from. */
export interface ContainerInput {
  readonly pod: RawPod
  readonly settings: Settings
  readonly options: Options
  readonly native: boolean
  readonly env: readonly EnvVar[]
  readonly mounts: readonly VolumeMount[]
}

/** Makes the sidecar's container. */
export function sidecarContainer({ pod, settings, options, native, env, mounts }: ContainerInput): Container {
  return {
    name: CONTAINER,
    image: options.image ?? settings.image,
    ...(options['image-pull-policy'] === undefined ? {} : { imagePullPolicy: options['image-pull-policy'] }),
    args: ['sidecar'],
    ...(native ? { restartPolicy: 'Always' } : {}),
    env: [...env],
    ports: [{ name: METRICS_PORT, containerPort: settings.metricsPort, protocol: 'TCP' }],
    ...(hasOwnResources(pod) ? {} : { resources: resources(options) }),
    // A native sidecar holds back the model's start until this succeeds, which takes a fraction of a second.
    startupProbe: probe('/readyz', { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 }),
    // A process that hangs makes no use of the pod's grace period, which the kubelet would wait for all the same.
    livenessProbe: probe('/healthz', {
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
      terminationGracePeriodSeconds: 10
    }),
    securityContext: securityContext(pod, settings),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [...mounts]
  }
}

/** Neither path depends on Kafka: without it the model must serve all the same. */
function probe(path: string, times: Omit<Probe, 'httpGet'>): Probe {
  return { httpGet: { path, port: METRICS_PORT }, ...times }
}

/** Containers have to fit into what a pod sets for all of them (`spec.resources`): there the sidecar has its share. */
function hasOwnResources(pod: RawPod): boolean {
  return Object.keys(record(record(pod['spec'])['resources'])).length > 0
}

/** Requests always: without them an autoscaler on CPU stops for the whole pod. A request above its limit is lowered to it. */
function resources(options: Options): NonNullable<Container['resources']> {
  const pair = (resource: 'cpu' | 'memory'): [string, string] => {
    const limit = options[`${resource}-limit`]
    const request = options[`${resource}-request`]
    if (limit === undefined || request === undefined) return ['', '']
    return [request.value > limit.value ? limit.text : request.text, limit.text]
  }
  const [cpuRequest, cpuLimit] = pair('cpu')
  const [memoryRequest, memoryLimit] = pair('memory')
  return { requests: { cpu: cpuRequest, memory: memoryRequest }, limits: { cpu: cpuLimit, memory: memoryLimit } }
}

/** All that Pod Security's level `restricted` asks of a container, whatever the pod's own context says. */
function securityContext(pod: RawPod, settings: Settings): SecurityContext {
  const { runAsUser, runAsGroup } = settings.securityContext
  // runAsNonRoot would keep the container from starting where the pod's user is root.
  const rootPod = record(record(pod['spec'])['securityContext'])['runAsUser'] === 0
  const user = runAsUser ?? (rootPod ? IMAGE_USER : undefined)
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    ...(user === undefined ? {} : { runAsUser: user }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    seccompProfile: { type: 'RuntimeDefault' }
  }
}
