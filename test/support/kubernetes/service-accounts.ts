import type { KubernetesClient } from './client.ts'

/** What a ServiceAccount may do, in all namespaces. */
export type Rules = readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[]

/** Creates a ServiceAccount that may do this and nothing else, and returns a token of its. */
export async function createToken(
  client: KubernetesClient,
  namespace: string,
  name: string,
  rules: Rules
): Promise<string> {
  await client.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } })
  const group = 'rbac.authorization.k8s.io'
  const role = { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name }, rules }
  const binding = {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }]
  }
  await client.create(role)
  await client.create(binding)
  const { status } = await client.post<{ status: { token: string } }>(
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
  )
  return status.token
}
