import type { StoredPod } from './kserve.ts'
import type { KubernetesClient } from './client.ts'
import { eventually } from './wait.ts'

/** What a user does to have the sidecar in a namespace. */
export const injectionLabel = { 'inference-logger.io/injection': 'enabled' } as const

/** Creates a namespace and waits until it takes pods. */
export async function createNamespace(
  client: KubernetesClient,
  name: string,
  labels: Readonly<Record<string, string>> = injectionLabel
): Promise<string> {
  await client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { ...labels } } })
  await eventually(`the ServiceAccount of ${name}`, () =>
    client.find(`/api/v1/namespaces/${name}/serviceaccounts/default`)
  )
  return name
}

/** Pods of a namespace, as they are stored. */
export function podsIn(client: KubernetesClient, namespace: string): Promise<StoredPod[]> {
  return client.list<StoredPod>(`/api/v1/namespaces/${namespace}/pods`)
}

/** Waits for pods that a controller makes; the default is the first one. */
export async function podsMade(
  client: KubernetesClient,
  namespace: string,
  count = 1,
  timeoutMs = 20_000
): Promise<StoredPod[]> {
  return eventually(
    `${count} pods in ${namespace}`,
    async () => {
      const pods = await podsIn(client, namespace)
      return pods.length >= count && pods
    },
    timeoutMs
  )
}

/** What the ReplicaSet controller says when a pod is not taken; undefined: nothing yet. */
export async function failedCreate(client: KubernetesClient, namespace: string): Promise<string | undefined> {
  const events = await client.list<{ reason: string; message: string }>(`/api/v1/namespaces/${namespace}/events`)
  return events.find(({ reason }) => reason === 'FailedCreate')?.message
}
