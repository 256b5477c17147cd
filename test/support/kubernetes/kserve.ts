import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { Container, Pod, PodSpec } from 'kubernetes-types/core/v1.js'
import { repositoryRoot } from '../kafka/tools.ts'

/** A pod as the API server stores it: these are never missing. */
export interface StoredPod extends Pod {
  metadata: NonNullable<Pod['metadata']> & { name: string; namespace: string }
  spec: PodSpec
}

/** What differs between a captured pod and the one that a test wants. */
export interface PodOptions {
  namespace: string
  /** Over those that it has. */
  annotations?: Readonly<Record<string, string>>
  /** Over those that it has. */
  labels?: Readonly<Record<string, string>>
}

const prefix = 'internal.serving.kserve.io/'

/** A pod of test/fixtures/admission as the API server showed it to a webhook behind KServe's. */
export function capturedPod(fixture: string): StoredPod {
  const file = join(repositoryRoot(), 'test', 'fixtures', 'admission', `${fixture}.json`)
  const review = JSON.parse(readFileSync(file, 'utf8')) as { request: { object: StoredPod } }
  return review.request.object
}

/** A captured pod as somebody would create it: without what the API server and the ReplicaSet controller put there. */
export function podOf(fixture: string, { namespace, annotations = {}, labels = {} }: PodOptions): StoredPod {
  const { metadata, spec } = capturedPod(fixture)
  const { priority: _priority, preemptionPolicy: _policy, tolerations: _tolerations, ...rest } = spec
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      // Together they are more than a test wants, and one of them is enough for the API server.
      ...(metadata.generateName === undefined ? {} : { generateName: metadata.generateName }),
      namespace,
      labels: { ...metadata.labels, ...labels },
      annotations: { ...metadata.annotations, ...annotations }
    } as StoredPod['metadata'],
    spec: rest
  }
}

/**
 * The Deployment that KServe's controller makes for a captured pod in Standard mode: without the agent and the storage
 * initializer, which KServe's webhook adds to the pod.
 */
export function deploymentOf(fixture: string, options: PodOptions & { name?: string; replicas?: number }): Deployment {
  const { metadata, spec } = podOf(fixture, options)
  const { 'pod-template-hash': _hash, ...labels } = metadata.labels ?? {}
  const name = options.name ?? `${labels['serving.kserve.io/inferenceservice']}-predictor`
  const app = `isvc.${name}`
  const { initContainers: _initContainers, volumes: _volumes, ...rest } = spec
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: options.namespace },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: {
        metadata: { labels: { ...labels, app }, annotations: metadata.annotations ?? {} },
        spec: {
          ...rest,
          containers: rest.containers
            .filter(({ name }) => name !== 'agent')
            .map(container => ({ ...container, volumeMounts: [] }))
        }
      }
    }
  }
}

/**
 * What KServe's webhook does to a pod whose component has a logger: it adds the agent, with the security context and the
 * readiness probe of the container that is first. A pod with an agent stays as it is.
 */
export function addAgent<T extends Pod>(pod: T): T {
  const annotations = pod.metadata?.annotations ?? {}
  const containers = pod.spec?.containers ?? []
  if (annotations[`${prefix}logger`] !== 'true' || containers.some(({ name }) => name === 'agent')) return pod
  const [first] = containers
  const captured = capturedPod('logger-localhost').spec.containers.find(({ name }) => name === 'agent')
  if (first === undefined || captured === undefined || pod.spec === undefined) throw new Error('no containers')
  const agent: Container = {
    ...captured,
    args: agentArguments(pod),
    env: [{ name: 'SERVING_READINESS_PROBE', value: JSON.stringify(first.readinessProbe) }],
    ...(first.securityContext === undefined ? {} : { securityContext: first.securityContext })
  }
  return { ...pod, spec: { ...pod.spec, containers: [...containers, agent] } }
}

function agentArguments({ metadata = {} }: Pod): string[] {
  const { annotations = {}, labels = {}, namespace = '' } = metadata
  const values = {
    'log-url': annotations[`${prefix}logger-sink-url`] ?? 'http://default-broker',
    'source-uri': '',
    'log-mode': annotations[`${prefix}logger-mode`] ?? 'all',
    'inference-service': labels['serving.kserve.io/inferenceservice'] ?? '',
    namespace,
    endpoint: '',
    component: labels['component'] ?? '',
    'logger-tls-skip-verify': 'false',
    'component-port': '8080'
  }
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])
}
