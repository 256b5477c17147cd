import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import {
  createNamespace,
  deploymentOf,
  eventually,
  failedCreate,
  findSidecar,
  injectionLabel,
  KServeCluster,
  namesOf,
  podOf,
  podsIn,
  podsMade,
  sidecarOf,
  skipWithoutKubernetes,
  statusOf,
  type StoredPod
} from '../support/kubernetes/index.ts'

const configuration = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kserve-inference-logger'

describe('what an administrator has in force', { skip: await skipWithoutKubernetes(), timeout: 180_000 }, () => {
  let cluster: KServeCluster
  before(async () => {
    cluster = await KServeCluster.start()
  })
  after(() => cluster?.close())

  async function deployed(deployment: Deployment): Promise<StoredPod> {
    const namespace = deployment.metadata?.namespace ?? ''
    await cluster.plane.client.create(deployment)
    const pods = podsMade(cluster.plane.client, namespace).catch(async (error: unknown) => {
      throw new Error(`no pod: ${(await failedCreate(cluster.plane.client, namespace)) ?? 'no event'}`, {
        cause: error
      })
    })
    const [pod] = await pods
    assert.ok(pod)
    return pod
  }

  /** What the ReplicaSet controller says when the API server does not take its pod. */
  async function refused(deployment: Deployment): Promise<string> {
    const namespace = deployment.metadata?.namespace ?? ''
    await cluster.plane.client.create(deployment)
    const message = await eventually('FailedCreate', () => failedCreate(cluster.plane.client, namespace))
    assert.deepEqual(await podsIn(cluster.plane.client, namespace), [])
    return message
  }

  describe('Pod Security, restricted', () => {
    const restricted = { ...injectionLabel, 'pod-security.kubernetes.io/enforce': 'restricted' }

    for (const mode of ['always', 'never']) {
      test(`takes a pod whose model satisfies it, with the sidecar, native-sidecar ${mode}`, async () => {
        const namespace = await createNamespace(cluster.plane.client, `restricted-${mode}`, restricted)
        const annotations = { 'inference-logger.io/native-sidecar': mode }
        const deployment = deploymentOf('logger-localhost', { namespace, annotations })
        // In the container, from which KServe copies it into the agent: the sidecar has to have its own.
        const [model] = deployment.spec?.template.spec?.containers ?? []
        if (model) model.securityContext = { ...model.securityContext, seccompProfile: { type: 'RuntimeDefault' } }
        const pod = await deployed(deployment)
        assert.ok(findSidecar(pod))
      })
    }

    test('names only the containers of others when one does not satisfy it', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'restricted-without-seccomp', restricted)
      const message = await refused(deploymentOf('logger-localhost', { namespace }))
      assert.match(message, /violates PodSecurity "restricted:latest": seccompProfile .*"kserve-container", "agent"/)
      assert.doesNotMatch(message, /inference-logger"/)
    })

    test('takes the sidecar in a pod whose user is root, with a user of its own', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'root', injectionLabel)
      const deployment = deploymentOf('logger-localhost', { namespace })
      const spec = deployment.spec?.template.spec
      if (spec) spec.securityContext = { runAsUser: 0 }
      const { securityContext } = sidecarOf(await deployed(deployment))
      assert.equal(securityContext?.runAsNonRoot, true)
      assert.ok((securityContext?.runAsUser ?? 0) > 0)
    })
  })

  describe('a ResourceQuota', () => {
    async function createQuota(namespace: string, hard: Record<string, string>): Promise<string> {
      const path = `/api/v1/namespaces/${namespace}/resourcequotas/quota`
      const metadata = { name: 'quota', namespace }
      await cluster.plane.client.create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard } })
      await eventually('the quota is counted', async () => {
        const { status } = await cluster.plane.client.get<{ status: { used?: object } }>(path)
        return status.used !== undefined
      })
      return path
    }

    const enough = {
      'requests.cpu': '1150m',
      'requests.memory': '2276Mi',
      'limits.cpu': '3',
      'limits.memory': '3328Mi',
      pods: '1'
    }

    test('of requests and limits is satisfied: it demands both of every container, and counts the sidecar', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'quota')
      const path = await createQuota(namespace, enough)
      const pod = await deployed(deploymentOf('logger-localhost', { namespace }))
      assert.ok(findSidecar(pod))
      const { status } = await cluster.plane.client.get<{ status: { used: Record<string, string> } }>(path)
      // Model 1 CPU and 2Gi, agent 100m and 100Mi (limits 1 and 1Gi), sidecar 50m and 128Mi (limits 1 and 256Mi).
      assert.deepEqual(status.used, enough)
    })

    test('too small for the sidecar says so on the ReplicaSet', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'small-quota')
      await createQuota(namespace, { 'requests.cpu': '1100m' })
      const message = await refused(deploymentOf('logger-localhost', { namespace }))
      assert.match(message, /exceeded quota: quota, requested: requests\.cpu=1150m, used: requests\.cpu=0/)
    })
  })

  describe('a LimitRange', () => {
    async function createRange(namespace: string, limits: object): Promise<void> {
      const metadata = { name: 'range', namespace }
      const spec = { limits: [{ type: 'Container', ...limits }] }
      await cluster.plane.client.create({ apiVersion: 'v1', kind: 'LimitRange', metadata, spec })
      await eventually('the LimitRange is known', async () => {
        const pod = podOf('no-logger', { namespace })
        const [model] = pod.spec.containers
        delete model?.resources
        const { spec } = await cluster.plane.client.create(pod, { dryRun: true })
        return spec.containers[0]?.resources?.requests !== undefined
      })
    }

    const defaults = {
      default: { cpu: '700m', memory: '700Mi' },
      defaultRequest: { cpu: '70m', memory: '170Mi' }
    }

    test('gives the sidecar nothing, which has its own, and takes it between minimum and maximum', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'range')
      const bounds = { min: { cpu: '50m', memory: '100Mi' }, max: { cpu: '1', memory: '2Gi' } }
      await createRange(namespace, { ...defaults, ...bounds })
      const pod = await deployed(deploymentOf('logger-localhost', { namespace }))
      assert.deepEqual(sidecarOf(pod).resources, {
        requests: { cpu: '50m', memory: '128Mi' },
        limits: { cpu: '1', memory: '256Mi' }
      })
    })

    test('with a ratio of limit to request is satisfied by annotations', async () => {
      // The agent's own is 10 for CPU, and the sidecar's 20.
      const maxLimitRequestRatio = { cpu: '11', memory: '11' }
      const tooWide = await createNamespace(cluster.plane.client, 'ratio')
      await createRange(tooWide, { ...defaults, maxLimitRequestRatio })
      assert.match(
        await refused(deploymentOf('logger-localhost', { namespace: tooWide })),
        /cpu max limit to request ratio per Container is 11, but provided ratio is 20/
      )

      const namespace = await createNamespace(cluster.plane.client, 'ratio-annotated')
      await createRange(namespace, { ...defaults, maxLimitRequestRatio })
      const annotations = { 'inference-logger.io/cpu-limit': '500m' }
      const pod = await deployed(deploymentOf('logger-localhost', { namespace, annotations }))
      assert.deepEqual(sidecarOf(pod).resources?.limits, { cpu: '500m', memory: '256Mi' })
    })
  })

  describe('when the webhook is down', () => {
    before(() => cluster.webhook.close())

    test('with failurePolicy Ignore the model runs without the sidecar', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'ignore')
      const pod = await deployed(deploymentOf('logger-localhost', { namespace }))
      assert.deepEqual(namesOf(pod.spec.containers), ['kserve-container', 'agent'])
      assert.equal(findSidecar(pod), undefined)
      assert.deepEqual(statusOf(pod), {})
    })

    test('with failurePolicy Fail there is no pod, and the ReplicaSet says which webhook did not answer', async () => {
      const namespace = await createNamespace(cluster.plane.client, 'fail')
      const { webhooks } = await cluster.plane.client.get<{ webhooks: object[] }>(configuration)
      await cluster.plane.client.patch(configuration, {
        webhooks: webhooks.map(each => ({ ...each, failurePolicy: 'Fail' }))
      })
      await eventually('the policy is known', async () => {
        const pod = podOf('logger-localhost', { namespace })
        return cluster.plane.client.create(pod, { dryRun: true }).then(
          () => false,
          () => true
        )
      })
      assert.match(
        await refused(deploymentOf('logger-localhost', { namespace })),
        /failed calling webhook "kserve-inference-logger\.inference-logger\.io": .*connection refused/
      )
    })
  })
})
