import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Event } from 'kubernetes-types/core/v1.js'
import {
  createNamespace,
  createToken,
  deploymentOf,
  eventually,
  findSidecar,
  injectionLabel,
  KServeCluster,
  podOf,
  podsMade,
  skipWithoutKubernetes
} from '../support/kubernetes/index.ts'
import { total } from '../support/sidecar-process.ts'

const own = 'inference-logger'

describe('Kubernetes Events on the owner (--events)', { skip: await skipWithoutKubernetes(), timeout: 120_000 }, () => {
  let cluster: KServeCluster
  before(async () => {
    cluster = await KServeCluster.start({
      webhook: async ({ client, url, authority }) => {
        await createNamespace(client, own, {})
        const rules = [{ apiGroups: [''], resources: ['events'], verbs: ['create'] }]
        return {
          events: { apiServer: url, ca: authority.cert, token: await createToken(client, own, 'webhook', rules) }
        }
      }
    })
  })
  after(() => cluster?.close())

  /** Those of the webhook's. */
  async function eventsIn(namespace: string): Promise<Event[]> {
    const events = await cluster.plane.client.list<Event>(`/api/v1/namespaces/${namespace}/events`)
    return events.filter(({ source }) => source?.component === 'inference-logger.io/webhook')
  }

  async function oneEvent(namespace: string): Promise<Event> {
    return eventually('an Event', async () => (await eventsIn(namespace))[0])
  }

  test('tell that the sidecar was added, to who looks at the ReplicaSet', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'models')
    await cluster.plane.client.create(deploymentOf('logger-localhost', { namespace, replicas: 3 }))
    await podsMade(cluster.plane.client, namespace, 3)
    const { type, reason, involvedObject } = await oneEvent(namespace)
    assert.deepEqual([type, reason, involvedObject.kind], ['Normal', 'Injected', 'ReplicaSet'])
    const { stdout } = await cluster.plane.kubectl(['describe', 'replicaset', '-n', namespace])
    assert.match(stdout, /Normal +Injected .*inference-logger\.io\/webhook +loopback_sink: /)
    assert.equal((await eventsIn(namespace)).length, 1, 'one for all pods of a ReplicaSet')
  })

  test('tell why it was not', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'remote')
    await cluster.plane.client.create(deploymentOf('logger-remote-broker', { namespace }))
    const { reason, message } = await oneEvent(namespace)
    assert.equal(reason, 'InjectionSkipped')
    assert.match(message ?? '', /^sink_not_loopback: /)
  })

  test('tell what is wrong with annotations', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'mistakes')
    const annotations = { 'inference-logger.io/durability': 'much' }
    await cluster.plane.client.create(deploymentOf('logger-localhost', { namespace, annotations }))
    const { type, reason, message } = await oneEvent(namespace)
    assert.deepEqual([type, reason], ['Warning', 'InjectionDenied'])
    assert.match(message ?? '', /inference-logger\.io\/durability="much"/)
  })

  test('tell nothing of a dry run, which has no other effect either', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'dry')
    const deployment = deploymentOf('logger-localhost', { namespace, replicas: 0 })
    await cluster.plane.client.create(deployment)
    const path = `/apis/apps/v1/namespaces/${namespace}/replicasets`
    const owner = await eventually('the ReplicaSet', async () => {
      return (await cluster.plane.client.list<{ metadata: { name: string; uid: string } }>(path))[0]
    })
    const { name, uid } = owner.metadata
    const pod = podOf('logger-localhost', { namespace })
    // The controller would delete a pod of its own that is one too many.
    pod.metadata.labels = { 'serving.kserve.io/inferenceservice': 'dry' }
    pod.metadata.ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid, controller: true }]
    assert.ok(findSidecar(await cluster.plane.client.create(pod, { dryRun: true })))
    // One at a time, in order: were there one for the dry run, it would be there before that of another pod.
    await createNamespace(cluster.plane.client, 'after-dry')
    await cluster.plane.client.create(deploymentOf('logger-localhost', { namespace: 'after-dry' }))
    await oneEvent('after-dry')
    assert.deepEqual(await eventsIn(namespace), [])

    await cluster.plane.client.create(pod)
    assert.equal((await oneEvent(namespace)).involvedObject.uid, uid)
  })

  test('are not missed by anybody when they are not permitted: the pod has its sidecar', async () => {
    await cluster.plane.client.delete('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/webhook')
    const namespace = await createNamespace(cluster.plane.client, 'forbidden', injectionLabel)
    await eventually('a failure is counted', async () => {
      await cluster.plane.client.create(deploymentOf('logger-localhost', { namespace, name: `m${Date.now()}` }))
      await podsMade(cluster.plane.client, namespace)
      return (await cluster.webhook.metrics()).get('inference_logger_webhook_events_total{result="failed"}')
    })
    const pods = await podsMade(cluster.plane.client, namespace)
    assert.ok(pods.every(findSidecar))
    await cluster.webhook.waitForLog(
      ({ msg }) => msg.includes('cannot create resource "events"'),
      'what is not permitted'
    )
    assert.ok(total(await cluster.webhook.metrics(), 'inference_logger_webhook_requests_total') > 0)
  })
})
