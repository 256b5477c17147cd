import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { parse } from 'yaml'
import { reviewPod } from '../../webhook/review-pod.ts'
import { loadSettings } from '../../webhook/settings/load.ts'
import {
  addAgent,
  agentOf,
  comparable,
  configurationOf,
  createNamespace,
  deploymentOf,
  dropped,
  envOf,
  eventually,
  failedCreate,
  findSidecar,
  joinMesh,
  KServeCluster,
  leastSettings,
  namesOf,
  onlyNamespace,
  patched,
  podOf,
  podsIn,
  podsMade,
  sidecarOf,
  skipWithoutKubernetes,
  StandInWebhook,
  type StatusError,
  statusOf,
  type StoredPod,
  withoutToken
} from '../support/kubernetes/index.ts'

/** Here KServe's webhook comes after ours. */
const reversed = 'reversed'

describe('a pod of KServe’s, through the API server', { skip: await skipWithoutKubernetes(), timeout: 180_000 }, () => {
  let cluster: KServeCluster
  const standIns: StandInWebhook[] = []

  before(async () => {
    const elsewhere = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [reversed] }
    cluster = await KServeCluster.start({ kserveNamespaces: { matchExpressions: [elsewhere] } })
  })
  after(async () => {
    for (const standIn of standIns) await standIn.close()
    await cluster?.close()
  })

  /** Another webhook, for one namespace, in front of or behind ours by its name; resolves when the API server asks it. */
  async function addWebhook(
    name: string,
    namespace: string,
    mutate: (pod: Pod) => Pod,
    reinvocationPolicy: 'Never' | 'IfNeeded' = 'Never'
  ): Promise<StandInWebhook> {
    const standIn = await StandInWebhook.start(cluster.authority, mutate)
    standIns.push(standIn)
    const fields = { namespaceSelector: onlyNamespace(namespace), reinvocationPolicy }
    const configuration = configurationOf({ name, url: standIn.url, ca: cluster.authority.cert, fields })
    await cluster.register(configuration, async () => {
      await cluster.plane.client.create(podOf('no-logger', { namespace }), { dryRun: true })
      return standIn.seen.length > 0
    })
    standIn.seen.length = 0
    return standIn
  }

  /** The pod that the controllers make of KServe's Deployment. */
  async function deployed(fixture: string, namespace: string, annotations = {}): Promise<StoredPod> {
    await cluster.plane.kubectl(['apply', '-f', '-'], { input: deploymentOf(fixture, { namespace, annotations }) })
    const [pod] = await podsMade(cluster.plane.client, namespace)
    assert.ok(pod)
    return pod
  }

  test('has the sidecar when its namespace is labelled', async () => {
    const { client } = cluster.plane
    await createNamespace(client, 'models', {})
    await cluster.plane.kubectl(['label', 'namespace', 'models', 'inference-logger.io/injection=enabled'])
    await deployed('logger-localhost', 'models')

    const { stdout } = await cluster.plane.kubectl(['get', 'pod', '-n', 'models', '-o', 'yaml'])
    const [pod] = (parse(stdout) as { items: StoredPod[] }).items
    assert.ok(pod)
    const { spec, metadata } = pod
    assert.deepEqual(namesOf(spec.initContainers), ['inference-logger'])
    assert.equal(sidecarOf(pod).restartPolicy, 'Always')
    assert.equal(envOf(sidecarOf(pod))['KAFKA_BROKERS'], leastSettings.kafka.brokers)
    assert.equal(envOf(sidecarOf(pod))['INFERENCE_LOGGER_LISTEN'], '127.0.0.1:9480,[::1]:9480')
    assert.ok((spec.terminationGracePeriodSeconds ?? 0) > 30, 'the agent alone takes 30 s to end')
    assert.equal(metadata.annotations?.['inference-logger.io/original-termination-grace-period-seconds'], '30')
    assert.equal(statusOf(pod).result, 'inject')
  })

  test('keeps the model first, with the agent made from it and not from the sidecar', async () => {
    const [pod] = await podsIn(cluster.plane.client, 'models')
    assert.ok(pod)
    const [model, agent] = pod.spec.containers
    const template = deploymentOf('logger-localhost', { namespace: 'models' }).spec?.template.spec?.containers[0]
    assert.deepEqual(namesOf(pod.spec.containers), ['kserve-container', 'agent'])
    assert.ok(model && agent && template)
    assert.deepEqual(withoutToken(model), { ...template, volumeMounts: [] })
    assert.deepEqual(agent.securityContext, model.securityContext)
    assert.deepEqual(JSON.parse(envOf(agent)['SERVING_READINESS_PROBE'] ?? ''), model.readinessProbe)
  })

  test('has requests of CPU and memory in every container, which an HPA on either needs', async () => {
    const [pod] = await podsIn(cluster.plane.client, 'models')
    for (const { name, resources } of [...(pod?.spec.containers ?? []), ...(pod?.spec.initContainers ?? [])]) {
      assert.ok(resources?.requests?.['cpu'] !== undefined && resources.requests['memory'] !== undefined, name)
    }
  })

  for (const mode of ['always', 'never']) {
    test(`is stored with the sidecar as it was sent, native-sidecar ${mode}, but for Kubernetes’ defaults`, async () => {
      const namespace = await createNamespace(cluster.plane.client, `stored-${mode}`)
      const recorder = await addWebhook('kserve-before-ours', namespace, pod => pod)
      const stored = await deployed('logger-localhost', namespace, { 'inference-logger.io/native-sidecar': mode })
      const [given] = recorder.seen
      assert.ok(given)
      const sent = applied(given, namespace)
      assert.deepEqual(dropped(sidecarOf(sent), sidecarOf(stored)), [])
      assert.deepEqual(dropped(sent.spec?.volumes, stored.spec.volumes?.slice(-(sent.spec?.volumes?.length ?? 0))), [])
      assert.equal(stored.spec.terminationGracePeriodSeconds, sent.spec?.terminationGracePeriodSeconds)
      assert.deepEqual(stored.metadata.annotations, sent.metadata?.annotations)
      const added = dropped(sidecarOf(stored), sidecarOf(sent)).map(path => path.replace(/(env)\.\d+/, '$1.*'))
      assert.deepEqual([...new Set(added)].sort(), [
        'env.*.valueFrom.fieldRef.apiVersion',
        'livenessProbe.httpGet.scheme',
        'livenessProbe.successThreshold',
        'startupProbe.httpGet.scheme',
        'startupProbe.successThreshold',
        'terminationMessagePath',
        // ServiceAccount admission looks again at a pod that webhooks changed.
        'volumeMounts.1'
      ])
      assert.match(JSON.stringify(sidecarOf(stored).volumeMounts?.[1]), /kubernetes\.io\/serviceaccount/)
      await cluster.plane.client.delete(`${registrations}/kserve-before-ours`)
    })
  }

  describe('as captured from KServe’s controllers', () => {
    before(() => createNamespace(cluster.plane.client, 'captured'))

    const expected: Record<string, string> = {
      'custom-extra-container-nonroot': 'loopback_sink',
      'knative-predictor-annotated': 'loopback_sink',
      'logger-localhost': 'loopback_sink',
      'multi-node-head': 'loopback_sink',
      transformer: 'loopback_sink',
      'logger-default-url': 'sink_not_loopback',
      'logger-remote-broker': 'sink_not_loopback',
      'multi-node-worker': 'multi_node_worker',
      'no-logger': 'no_logger'
    }
    for (const [fixture, reason] of Object.entries(expected)) {
      test(`${fixture} is stored, with the reason ${reason}`, async () => {
        const pod = await cluster.plane.client.create(podOf(fixture, { namespace: 'captured' }))
        assert.equal(statusOf(pod).reasons?.[0], reason)
        assert.equal(findSidecar(pod) !== undefined, reason === 'loopback_sink')
        assert.equal(pod.spec.containers[0]?.name, podOf(fixture, { namespace: 'captured' }).spec.containers[0]?.name)
      })
    }

    test('knative-predictor is refused: it has an annotation that is none of ours', async () => {
      const pod = podOf('knative-predictor', { namespace: 'captured' })
      await assert.rejects(cluster.plane.client.create(pod), (error: StatusError) => {
        assert.deepEqual([error.code, error.reason], [400, 'BadRequest'])
        assert.match(error.message, /inference-logger\.io\/kafka-topic/)
        return true
      })
    })
  })

  test('is left alone in a namespace without the label', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'not-labelled', {})
    const before = await askedFor(namespace)
    assert.equal(findSidecar(await deployed('logger-localhost', namespace)), undefined)
    assert.equal(await askedFor(namespace), before)
  })

  test('is left alone without KServe’s label: the webhook is not even asked', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'no-label')
    const pod = podOf('logger-localhost', { namespace, annotations: { 'inference-logger.io/inject': 'true' } })
    pod.metadata.labels = { app: 'other' }
    assert.equal(findSidecar(await cluster.plane.client.create(pod)), undefined)
    assert.equal(await askedFor(namespace), 0)
  })

  test('says in an annotation why it has none, when the logger’s URL leads elsewhere', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'remote')
    const pod = await deployed('logger-remote-broker', namespace)
    assert.equal(findSidecar(pod), undefined)
    assert.equal(statusOf(pod).result, 'skip')
    assert.deepEqual(statusOf(pod).reasons, ['sink_not_loopback'])
  })

  test('has one sidecar, with what another webhook adds to all containers afterwards', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'meshed')
    const mesh = await addWebhook('zz-mesh', namespace, joinMesh)
    const pod = await deployed('logger-localhost', namespace)
    assert.equal(mesh.seen.length, 1)
    assert.deepEqual(namesOf(pod.spec.initContainers), ['mesh-init', 'inference-logger'])
    assert.deepEqual(namesOf(pod.spec.containers), ['kserve-container', 'agent'])
    assert.equal(envOf(sidecarOf(pod))['MESH'], 'yes')
    assert.equal(pod.spec.volumes?.filter(({ name }) => name.startsWith('inference-logger')).length, 1)
    const decisions = cluster.webhook.logs.filter(
      line => line['namespace'] === namespace && line['owner'] !== undefined
    )
    assert.deepEqual(
      decisions.map(line => line['reasons']),
      [['loopback_sink'], ['already_injected']]
    )
    assert.deepEqual(reviewPod({ pod, namespace, settings }).patch, [], 'a third time changes nothing either')
  })

  test('gets its restartPolicy back from a webhook that does not know the field', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'old-kserve')
    await addWebhook('zz-old-kserve', namespace, ({ spec, ...pod }) => {
      const initContainers = (spec?.initContainers ?? []).map(({ restartPolicy: _restartPolicy, ...rest }) => rest)
      return { ...pod, spec: { containers: [], ...spec, initContainers } }
    })
    const pod = await deployed('logger-localhost', namespace)
    assert.equal(sidecarOf(pod).restartPolicy, 'Always')
    assert.equal(statusOf(pod).result, 'inject')
  })

  describe('where KServe’s webhook comes after ours', () => {
    before(async () => {
      await createNamespace(cluster.plane.client, reversed)
      await addWebhook('zz-kserve', reversed, addAgent, 'IfNeeded')
    })

    for (const mode of ['always', 'never']) {
      test(`it is the same pod, native-sidecar ${mode}`, async () => {
        const name = `native-${mode}`
        const annotations = { 'inference-logger.io/native-sidecar': mode }
        const usual = await createNamespace(cluster.plane.client, `usual-${mode}`)
        const [expected, actual] = await Promise.all(
          [usual, reversed].map(async namespace => {
            await cluster.plane.client.create(deploymentOf('logger-localhost', { namespace, annotations, name }))
            return eventually(`the pod of ${name}`, async () =>
              (await podsIn(cluster.plane.client, namespace)).find(({ metadata }) => metadata.name.startsWith(name))
            )
          })
        )
        assert.ok(expected && actual)
        assert.deepEqual(comparable(actual), comparable(expected))
        assert.equal(actual.spec.containers[0]?.name, 'kserve-container')
        assert.deepEqual(agentOf(actual)?.securityContext, actual.spec.containers[0]?.securityContext)
      })
    }

    test('it has the sidecar although only the agent says that localhost is the default', async () => {
      const { client } = cluster.plane
      // The agent's default is elsewhere, and `no logger URL` is all that the annotations say.
      const deployment = deploymentOf('logger-default-url', { namespace: reversed })
      const kserve = standIns.at(-1)
      assert.ok(kserve)
      kserve.mutate = pod => {
        const made = addAgent(pod)
        const agent = agentOf(made)
        if (agent?.args)
          agent.args = agent.args.map(word => word.replace('http://default-broker', 'http://localhost:9480'))
        return made
      }
      await client.create(deployment)
      const pod = await eventually('the pod', async () =>
        (await podsIn(client, reversed)).find(({ metadata }) => metadata.name.startsWith('logger-default-url'))
      )
      assert.ok(findSidecar(pod))
      assert.equal(statusOf(pod).result, 'inject', 'the first answer, a skip, does not stay on the pod')
      kserve.mutate = addAgent
    })
  })

  test('shows its sidecar in a dry run', async () => {
    const input = podOf('logger-localhost', { namespace: 'models' })
    input.metadata.name = 'dry'
    delete input.metadata.generateName
    const { stdout } = await cluster.plane.kubectl(['apply', '--dry-run=server', '-o', 'yaml', '-f', '-'], { input })
    assert.ok(findSidecar(parse(stdout) as StoredPod))
    const names = (await podsIn(cluster.plane.client, 'models')).map(({ metadata }) => metadata.name)
    assert.ok(!names.includes('dry'))
  })

  test('is not made while its annotations are wrong, and the ReplicaSet’s event names all mistakes', async () => {
    const namespace = await createNamespace(cluster.plane.client, 'mistakes')
    const annotations = {
      'inference-logger.io/format': 'envelop',
      'inference-logger.io/log-levle': 'debug',
      'inference-logger.io/image': 'mine:latest'
    }
    await cluster.plane.kubectl(['apply', '-f', '-'], {
      input: deploymentOf('logger-localhost', { namespace, annotations })
    })
    const message = await eventually('the event', () => failedCreate(cluster.plane.client, namespace))
    assert.match(message, /inference-logger\.io\/format="envelop" has to be one of cloudevent, structured, envelope/)
    assert.match(message, /inference-logger\.io\/log-levle .*did you mean inference-logger\.io\/log-level\?/)
    assert.match(message, /inference-logger\.io\/image is not allowed here/)
    const described = await cluster.plane.kubectl(['describe', 'replicaset', '-n', namespace])
    assert.match(described.stdout, /FailedCreate.*denied the request: .*envelop/)

    await cluster.plane.kubectl(['apply', '-f', '-'], { input: deploymentOf('logger-localhost', { namespace }) })
    // kubectl apply takes annotations away that it gave.
    assert.ok(findSidecar((await podsMade(cluster.plane.client, namespace))[0] ?? {}))
  })

  const registrations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
  const settings = loadSettings(JSON.stringify(leastSettings))

  /** What the webhook makes of a pod, before the API server gets it. */
  function applied(pod: Pod, namespace: string): Pod {
    const { patch } = reviewPod({ pod, namespace, settings })
    return patched(pod, patch)
  }

  /** How often the webhook was asked about pods of a namespace. */
  async function askedFor(namespace: string): Promise<number> {
    // What is logged comes through a pipe.
    await new Promise(resolve => setTimeout(resolve, 200))
    return cluster.webhook.logs.filter(line => line['namespace'] === namespace).length
  }
})
