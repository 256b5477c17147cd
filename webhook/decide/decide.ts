import { annotationsOf, labelsOf, list, record, text, type RawPod } from '../pod.ts'
import type { Reason } from '../review.ts'
import type { Settings } from '../settings/settings.ts'
import { CONTAINER, findSidecar, METRICS_PORT, VOLUMES } from './ours.ts'
import { portConflicts } from './ports.ts'
import { LOCALHOST, sinkOf, type Listen } from './sink.ts'

/** Labels that mark a pod of an InferenceService, KServe's and KFServing's. */
export const SERVICE_LABELS = ['serving.kserve.io/inferenceservice', 'serving.kubeflow.org/inferenceservice'] as const

/** Namespaces of Kubernetes itself. */
const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease'])

/** What is to be done with a pod, with all reasons, the most important first. */
export type Decision =
  | {
      readonly result: 'inject'
      readonly reasons: readonly Reason[]
      readonly warnings: readonly string[]
      readonly listen: Listen
    }
  /** The sidecar is there, and lost what makes it one. */
  | { readonly result: 'repair'; readonly reasons: readonly Reason[]; readonly index: number }
  /** @property final: no annotation would change it */
  | { readonly result: 'skip'; readonly reasons: readonly Reason[]; readonly final: boolean }

/** What a decision is made from. */
export interface DecisionInput {
  readonly pod: RawPod
  readonly namespace: string
  readonly settings: Settings
  /** The annotation `inject`; undefined: none, or a wrong value. */
  readonly inject: boolean | undefined
}

/** Decides whether a pod gets the sidecar. Pure, and total on any JSON. */
export function decide(input: DecisionInput): Decision {
  const { pod, inject } = input
  const unfit = unfitReason(pod)
  if (unfit !== undefined) return { result: 'skip', reasons: [unfit], final: true }
  const found = findSidecar(pod)
  if (found.kind === 'native' && !found.restartPolicy) {
    const message = `the init container ${CONTAINER} had lost restartPolicy: Always, and would never have ended`
    return { result: 'repair', reasons: [{ code: 'restart_policy_restored', message }], index: found.index }
  }
  if (found.kind === 'native' || found.kind === 'container') {
    return { result: 'skip', reasons: [{ code: 'already_injected', message: 'the pod has the sidecar' }], final: true }
  }
  if (inject === false) {
    const message = 'the annotation inference-logger.io/inject is "false"'
    return { result: 'skip', reasons: [{ code: 'inject_annotation_false', message }], final: true }
  }
  const sink = sinkOf(pod)
  const listen = 'listen' in sink ? sink.listen : { hosts: LOCALHOST, port: input.settings.port }
  const wanted = wantedReasons(pod, 'reason' in sink ? sink.reason : undefined)
  const overridden = inject === true
  const impossible = impossibleReasons(input, listen, found.kind === 'foreign')
  const against = [...impossible, ...(overridden ? [] : wanted)]
  if (against.length > 0) return { result: 'skip', reasons: against, final: impossible.length > 0 }
  const why: Reason[] = []
  if ('listen' in sink) {
    why.push({ code: 'loopback_sink', message: `the logger’s URL is on loopback, port ${listen.port}` })
  }
  if (overridden)
    why.push({ code: 'inject_annotation', message: 'the annotation inference-logger.io/inject is "true"' })
  return { result: 'inject', reasons: why, warnings: warningsOf(pod, wanted, input.settings, listen), listen }
}

/** Things of which nothing else can be asked. */
function unfitReason(pod: RawPod): Reason | undefined {
  const { kind } = pod
  if ((kind !== undefined && kind !== 'Pod') || list(record(pod['spec'])['containers']).length === 0) {
    return { code: 'not_a_pod', message: 'the object is no pod with containers' }
  }
  if (annotationsOf(pod)['kubernetes.io/config.mirror'] !== undefined) {
    return { code: 'mirror_pod', message: 'the pod mirrors a static one of its node, and cannot be changed' }
  }
  return undefined
}

/** Why a sidecar could not work there, whoever wants it. */
function impossibleReasons({ pod, namespace, settings }: DecisionInput, listen: Listen, foreign: boolean): Reason[] {
  const spec = record(pod['spec'])
  const reasons: Reason[] = []
  if (SYSTEM_NAMESPACES.has(namespace) || settings.ignoredNamespaces.includes(namespace)) {
    reasons.push({ code: 'namespace_ignored', message: `nothing is injected into the namespace ${namespace}` })
  }
  if (record(spec['os'])['name'] === 'windows') {
    reasons.push({ code: 'windows_pod', message: 'the pod runs on Windows, and the sidecar on Linux' })
  }
  if (spec['hostNetwork'] === true) {
    const message =
      'the pod is in the node’s network (hostNetwork), where other pods could reach the sidecar and take its ports'
    reasons.push({ code: 'host_network', message })
  }
  if (list(spec['containers']).some(({ name }) => name === 'worker-container')) {
    const message = 'the pod is a worker of a multi-node model; requests go to its head'
    reasons.push({ code: 'multi_node_worker', message })
  }
  if (foreign) {
    const message = `a container called ${CONTAINER} is there that the webhook did not make; rename it`
    reasons.push({ code: 'container_name_conflict', message })
  }
  const ours: ReadonlySet<unknown> = new Set(Object.values(VOLUMES))
  for (const { name } of list(spec['volumes']).filter(volume => ours.has(volume['name']))) {
    reasons.push({
      code: 'volume_name_conflict',
      message: `a volume called ${text(name) ?? ''} is there already; rename it`
    })
  }
  if (listen.port === settings.metricsPort) {
    const message = `the logger’s URL has port ${listen.port}, where the sidecar’s metrics are; write http://localhost:${settings.port}`
    reasons.push({ code: 'port_conflict', message })
  }
  for (const { port, container } of portConflicts(pod, listen, settings.metricsPort, CONTAINER)) {
    const advice =
      port === settings.metricsPort
        ? `the sidecar’s ${METRICS_PORT} needs; the settings’ metricsPort can be another`
        : 'the sidecar would listen on; give logger.url another'
    reasons.push({ code: 'port_conflict', message: `the container ${container} has port ${port}, which ${advice}` })
  }
  return reasons
}

/** Why nobody asked for a sidecar there. */
function wantedReasons(pod: RawPod, sink: Reason | undefined): Reason[] {
  const reasons: Reason[] = []
  const labels = labelsOf(pod)
  if (!SERVICE_LABELS.some(label => labels[label] !== undefined)) {
    const message = `the pod has no label ${SERVICE_LABELS[0]}: KServe did not make it`
    reasons.push({ code: 'no_inference_service_label', message })
  }
  if (sink !== undefined) reasons.push(sink)
  return reasons
}

const ISTIO_EXCLUDE = 'traffic.sidecar.istio.io/excludeInboundPorts'

function warningsOf(pod: RawPod, overridden: readonly Reason[], settings: Settings, listen: Listen): string[] {
  const warnings = overridden
    .filter(({ code }) => code !== 'no_inference_service_label')
    .map(
      ({ message }) => `${message}; the sidecar listens on port ${listen.port}, and only what is sent there is logged`
    )
  const spec = record(pod['spec'])
  const meshed = [...list(spec['containers']), ...list(spec['initContainers'])].some(
    ({ name }) => name === 'istio-proxy'
  )
  const excluded = (annotationsOf(pod)[ISTIO_EXCLUDE] ?? '').split(',').map(port => port.trim())
  if (meshed && !excluded.includes(String(settings.metricsPort)) && !excluded.includes('*')) {
    warnings.push(
      `where Istio’s mTLS is STRICT, the kubelet’s probes and Prometheus reach the sidecar only with the annotation ${ISTIO_EXCLUDE}: "${settings.metricsPort}"`
    )
  }
  return warnings
}
