import assert from 'node:assert/strict'
import type { Container, Pod } from 'kubernetes-types/core/v1.js'
import { applyPatch, type Operation } from 'rfc6902'

/** The sidecar, wherever it is in the pod. */
export function findSidecar({ spec }: Pod): Container | undefined {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === 'inference-logger')
}

/** The same for a pod that has to have it. */
export function sidecarOf(pod: Pod): Container {
  const found = findSidecar(pod)
  assert.ok(found, 'the pod has no sidecar')
  return found
}

export function agentOf({ spec }: Pod): Container | undefined {
  return spec?.containers.find(({ name }) => name === 'agent')
}

export function namesOf(containers: readonly Container[] = []): string[] {
  return containers.map(({ name }) => name)
}

/** What the webhook wrote about its decision. */
export function statusOf({ metadata }: Pod): { result?: string; reasons?: string[]; mode?: string } {
  return JSON.parse(metadata?.annotations?.['inference-logger.io/status'] ?? '{}') as object
}

/** Variables with a value of their own. */
export function envOf({ env = [] }: Container): Record<string, string> {
  return Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))
}

/** A pod after a patch; the one that is given stays as it is. */
export function patched<T extends Pod>(pod: T, patch: readonly Operation[]): T {
  const copy = structuredClone(pod)
  for (const error of applyPatch(copy, [...patch])) if (error !== null) throw error
  return copy
}

/** A container without the token of the ServiceAccount, which the API server mounts under a name that it makes up. */
export function withoutToken(container: Container): Container {
  const mounts = container.volumeMounts?.filter(({ name }) => !name.startsWith('kube-api-access-')) ?? []
  return { ...container, volumeMounts: mounts }
}

/** What of two pods of the same template has to be equal: all but names, and the order of containers and volumes. */
export function comparable({ metadata, spec }: Pod): object {
  const byName = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name)
  return {
    annotations: metadata?.annotations,
    ...spec,
    volumes: spec?.volumes?.filter(({ name }) => !name.startsWith('kube-api-access-')).sort(byName),
    containers: spec?.containers.map(withoutToken).map(withoutNamespace).sort(byName),
    initContainers: spec?.initContainers?.map(withoutToken).sort(byName)
  }
}

/** KServe tells its agent which namespace it is in. */
function withoutNamespace(container: Container): Container {
  const { args } = container
  return args === undefined
    ? container
    : { ...container, args: args.filter((_word, index) => args[index - 1] !== '--namespace') }
}

/** Paths of values that are in `before` and not, or not the same, in `after`; fields that `after` has besides are none. */
export function dropped(before: unknown, after: unknown, path = ''): string[] {
  if (typeof before !== 'object' || before === null) return Object.is(before, after) ? [] : [path]
  if (typeof after !== 'object' || after === null) return [path]
  const others = after as Record<string, unknown>
  return Object.entries(before).flatMap(([key, value]) =>
    dropped(value, others[key], path === '' ? key : `${path}.${key}`)
  )
}

/** A mesh's webhook: an init container in front of all others, and something in every container. */
export function joinMesh<T extends Pod>(pod: T): T {
  const { spec } = pod
  if (spec === undefined || spec.initContainers?.some(({ name }) => name === 'mesh-init')) return pod
  const marked = (container: Container): Container => ({
    ...container,
    env: [...(container.env ?? []), { name: 'MESH', value: 'yes' }]
  })
  const initContainers = [{ name: 'mesh-init', image: 'mesh:test' }, ...(spec.initContainers ?? []).map(marked)]
  return { ...pod, spec: { ...spec, initContainers, containers: spec.containers.map(marked) } }
}
