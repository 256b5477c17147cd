import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { MutatingWebhookConfiguration } from 'kubernetes-types/admissionregistration/v1.js'
import type { Secret } from 'kubernetes-types/core/v1.js'
import { request } from 'undici'
import { chartFolder, Helm, withoutHelmTools } from '../support/helm/index.ts'
import { createNamespace, injectionLabel, podsIn, podsMade } from '../support/kubernetes/namespaces.ts'
import type { StoredPod } from '../support/kubernetes/kserve.ts'
import { buildTimeoutMs } from '../support/kubernetes/tools.ts'
import { eventually } from '../support/kubernetes/wait.ts'
import { images, isReady, type NodeCluster, Predictor, predictorPod, sidecarName } from '../support/node/index.ts'

const release = 'inference-logger'
/** Where it is installed. */
const namespace = 'logging'
/** Where its webhook adds the sidecar. */
const models = 'chart-models'
/** The namespaces that are its webhook's and not that of the other tests: `helm test` gives it to its own too. */
const ownLabel = { 'test.inference-logger.io/webhook': 'chart' }
const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
/** Of a pod that starts while all the others do. */
const patienceMs = 100_000
const patience = ['--wait', '--timeout', `${patienceMs / 1000}s`]

/** The chart, installed with Helm: its pods run, and the API server asks them through their Service. */
export function chart(cluster: () => NodeCluster): void {
  describe('the chart', { concurrency: false, skip: withoutHelmTools() }, () => {
    let helm: Helm
    const own = (...args: string[]): Promise<string> => helm.run(...args, '--namespace', namespace)

    before(
      async () => {
        const { kafka, node } = cluster()
        helm = await Helm.create(node.plane.kubeconfig)
        await createNamespace(node.plane.client, namespace, restricted)
        await createNamespace(node.plane.client, models, { ...injectionLabel, ...restricted, ...ownLabel })
        const [repository, tag] = images.project.split(':')
        const values = helm.values({
          image: { repository, tag, pullPolicy: 'Never' },
          sidecar: { kafka: { brokers: kafka.bootstrap } },
          webhook: { failurePolicy: 'Fail', namespaceSelector: { matchLabels: ownLabel }, events: { enabled: true } }
        })
        await own('install', release, chartFolder(), '--values', values, ...patience)
      },
      { timeout: buildTimeoutMs }
    )
    after(() => helm?.close())

    const podsOf = async (component: string): Promise<StoredPod[]> => {
      const pods = await podsIn(cluster().node.plane.client, namespace)
      return pods.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === component)
    }

    it('runs two replicas of the webhook under Pod Security restricted', async () => {
      const pods = await podsOf('webhook')
      assert.deepEqual(pods.map(isReady), [true, true])
      for (const { status } of pods) assert.equal(status?.containerStatuses?.[0]?.restartCount, 0)
    })

    it('adds the sidecar to the pod of a Deployment, whose predictions arrive in Kafka', async () => {
      const { client } = cluster().node.plane
      const name = 'by-chart'
      await client.create(deploymentOf(name))
      const [pod] = await podsMade(client, models)
      const predictor = Predictor.of(client, pod ?? assert.fail(), name)
      await predictor.ready(patienceMs)
      assert.equal((await predictor.sidecar()).image, images.project)
      assert.equal((await predictor.pod()).spec?.initContainers?.[0]?.name, sidecarName)
      const load = await predictor.predict(1000, { perSecond: 20 })
      assert.deepEqual(load.failures, [])
      await predictor.delivered()
      assert.ok(predictor.answers.acknowledged.size >= 10, `${predictor.answers.acknowledged.size} events`)
      assert.deepEqual(await cluster().missing(predictor), [])
    })

    it('makes Kubernetes Events with its ServiceAccount', async () => {
      const { client } = cluster().node.plane
      const path = `/api/v1/namespaces/${models}/events`
      await eventually('an Event of the webhook', async () => {
        const events = await client.list<{ reportingComponent?: string }>(path)
        return events.some(({ reportingComponent = '' }) => reportingComponent.includes('inference-logger'))
      })
    })

    it('passes its own test, and says what that has seen', async () => {
      const test = ['test', release, '--namespace', namespace, '--timeout', `${patienceMs / 1000}s`]
      const output = await helm.runLoudly(...test)
      assert.match(output, /Phase:\s+Succeeded/)
      assert.match(output, /a pod in inference-logger-test gets the sidecar/)
    })

    it('refuses no pod and forgets none while its webhook is replaced, with another certificate', async t => {
      const { client } = cluster().node.plane
      const before = (await podsOf('webhook')).map(({ metadata }) => metadata.name)
      let done = false
      const values = ['--reuse-values', '--set', 'webhook.certificates.dnsNames={webhook.example}']
      const upgraded = own('upgrade', release, chartFolder(), ...values, ...patience).finally(() => (done = true))
      upgraded.catch(() => {})
      let pods = 0
      try {
        for (; !done; pods++) {
          const pod = predictorPod({ name: `during-${pods}`, namespace: models })
          const { spec } = await client.create(pod, { dryRun: true })
          assert.equal(spec?.initContainers?.[0]?.name, sidecarName)
          await sleep(50)
        }
      } finally {
        // What comes next is an upgrade too.
        await upgraded
      }
      t.diagnostic(`${pods} pods meanwhile`)
      assert.ok(pods >= 10, `${pods} pods`)
      const now = await eventually(
        'the old ones are gone',
        async () => {
          const found = await podsOf('webhook')
          return found.length === before.length && found
        },
        patienceMs
      )
      assert.deepEqual(
        now.filter(({ metadata }) => before.includes(metadata.name)),
        []
      )
    })

    it('adds a gateway, and the webhook goes on with the certificate that it has', async () => {
      const { kafka, node } = cluster()
      const secret = (): Promise<Secret> =>
        node.plane.client.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${release}-webhook-certificate`)
      const certificate = await secret()
      const webhooks = (await podsOf('webhook')).map(({ metadata }) => metadata.name).sort()
      const values = ['--reuse-values', '--set', 'gateway.enabled=true', '--set', 'gateway.env.KAFKA_TOPIC=by-gateway']
      await own('upgrade', release, chartFolder(), ...values, ...patience)
      assert.deepEqual((await secret()).data, certificate.data)
      assert.deepEqual((await podsOf('webhook')).map(({ metadata }) => metadata.name).sort(), webhooks)

      const [gateway, ...more] = await podsOf('gateway')
      assert.deepEqual(more, [])
      assert.ok(gateway && isReady(gateway))
      const { statusCode } = await request(`http://${gateway.status?.podIP}:8080/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'ce-specversion': '1.0',
          'ce-id': 'an-event',
          'ce-source': 'http://localhost:9081/',
          'ce-type': 'org.kubeflow.serving.inference.request',
          'ce-inferenceservicename': 'model',
          'ce-namespace': models
        },
        body: '{"instances":[[5.1]]}'
      })
      assert.equal(statusCode, 200)
      const [record] = await kafka.consume('by-gateway', { atLeast: 1 })
      const { type, id, payload } = JSON.parse(String(record?.value)) as Record<string, unknown>
      assert.deepEqual({ type, id, payload }, { type: 'request', id: 'an-event', payload: { instances: [[5.1]] } })
    })

    it('leaves nothing behind when it is uninstalled', async () => {
      await own('uninstall', release, '--wait', '--timeout', `${patienceMs / 1000}s`)
      const { plane } = cluster().node
      const kinds = (await plane.kubectl(['api-resources', '--verbs=list', '--output=name'])).stdout
      const all = kinds.trim().split('\n').join(',')
      const selector = `app.kubernetes.io/instance=${release}`
      await eventually(
        'nothing is left',
        async () => {
          const args = ['get', all, '--all-namespaces', '--selector', selector, '--output=name', '--ignore-not-found']
          return (await plane.kubectl(args)).stdout === ''
        },
        patienceMs
      )
      const configurations = await plane.client.list<MutatingWebhookConfiguration>(
        '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
      )
      assert.deepEqual(
        configurations.filter(({ webhooks = [] }) => webhooks.some(({ clientConfig }) => clientConfig.service)),
        []
      )
      const secrets = await plane.client.list(`/api/v1/namespaces/${namespace}/secrets`)
      assert.deepEqual(secrets, [])
    })
  })
}

/** What KServe's controller makes, with the agent that its webhook adds. */
function deploymentOf(name: string): Deployment {
  const { metadata = {}, spec } = predictorPod({ name, namespace: models })
  const { labels = {}, annotations = {}, finalizers: _finalizers } = metadata
  const app = labels['app'] ?? ''
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${name}-predictor`, namespace: models, labels },
    spec: {
      selector: { matchLabels: { app } },
      template: { metadata: { labels, annotations }, ...(spec ? { spec } : {}) }
    }
  }
}
