import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Container } from 'kubernetes-types/core/v1.js'
import { CertificateAuthority } from '../support/certificates.ts'
import { repositoryRoot } from '../support/kafka/tools.ts'
import {
  ControlPlane,
  createNamespace,
  deploymentOf,
  eventually,
  inferenceLoggerConfiguration,
  podOf,
  podsIn,
  podsMade,
  skipWithoutKubernetes,
  StatusError,
  type StoredPod,
  WebhookProcess
} from '../support/kubernetes/index.ts'

const file = join(repositoryRoot(), 'charts', 'inference-logger', 'files', 'validating-admission-policy.yaml')
const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings'

const sidecar: Container = {
  name: 'inference-logger',
  image: 'inference-logger:test',
  args: ['sidecar'],
  ports: [{ name: 'il-metrics', containerPort: 9481 }]
}
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', resources: [{ group: '', resources: ['pods'] }] }, { level: 'None' }]
}
const captured = [
  'custom-extra-container-nonroot',
  'knative-predictor-annotated',
  'logger-default-url',
  'logger-localhost',
  'logger-remote-broker',
  'multi-node-head',
  'multi-node-worker',
  'no-logger',
  'transformer'
]
const missing = /InferenceService \S+: the pod has no container inference-logger/
const ended = /the init container inference-logger has lost restartPolicy: Always/

describe('the ValidatingAdmissionPolicy', { skip: await skipWithoutKubernetes(), timeout: 120_000 }, () => {
  let plane: ControlPlane
  before(async () => {
    plane = await ControlPlane.start({
      apiServer: {
        'audit-policy-file': 'audit-policy.json',
        'audit-log-path': 'audit.log',
        'audit-log-mode': 'blocking'
      },
      files: { 'audit-policy.json': JSON.stringify(auditPolicy) }
    })
  })
  after(() => plane?.close())

  /** What the API server says to a pod that is not stored, whatever it says. */
  async function verdict(pod: StoredPod): Promise<{ denied: string; warnings: string[] }> {
    try {
      const { warnings } = await plane.client.createWithWarnings(pod, { dryRun: true })
      return { denied: '', warnings }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      return { denied: error.message, warnings: [] }
    }
  }

  test('is taken by the API server as it is in the chart, and warns', async () => {
    const { stdout } = await plane.kubectl(['apply', '-f', file])
    assert.match(stdout, /validatingadmissionpolicy\S+ created\n.*validatingadmissionpolicybinding\S+ created/)
    await createNamespace(plane.client, 'models')
    const pod = podOf('logger-localhost', { namespace: 'models' })
    await eventually('a warning', async () => (await verdict(pod)).warnings.length > 0)

    const created = await plane.kubectl(['create', '-f', '-'], { input: pod })
    assert.match(created.stdout, /^pod\/logger-localhost-predictor-\S+ created/)
    assert.match(created.stderr, /^Warning: Validation failed for ValidatingAdmissionPolicy 'inference-logger-sidecar'/)
    assert.match(created.stderr, missing)
    assert.match(created.stderr, /inference-logger\.io\/inject: "false"/)
  })

  test('writes it into the audit log, for those whose pods a controller makes', async () => {
    const namespace = await createNamespace(plane.client, 'audited')
    await plane.client.create(
      deploymentOf('logger-localhost', { namespace, annotations: { 'inference-logger.io/inject': 'true' } })
    )
    await podsMade(plane.client, namespace)
    const [audited] = plane.processes
      .log('audit', 1e6)
      .split('\n')
      .filter(line => line.includes('"namespace":"audited"'))
      .map(line => JSON.parse(line) as { verb: string; annotations: Record<string, string> })
      .filter(({ verb }) => verb === 'create')
    const failure = audited?.annotations['validation.policy.admission.k8s.io/validation_failure'] ?? ''
    assert.match(failure, missing)
    assert.match(failure, /"validationActions":\["Warn","Audit"\]/)
  })

  describe('that denies', () => {
    before(async () => {
      await plane.client.patch(`${bindings}/inference-logger-sidecar`, { spec: { validationActions: ['Deny'] } })
      const pod = podOf('logger-localhost', { namespace: 'models' })
      await eventually('a denial', async () => (await verdict(pod)).denied !== '')
    })

    /** A pod with an agent that logs to `url`, and what else the test wants. */
    function pod(url: string | undefined, change: (pod: StoredPod) => void = () => {}): StoredPod {
      const made = podOf('logger-localhost', { namespace: 'models' })
      const agent = made.spec.containers.find(({ name }) => name === 'agent')
      if (url === undefined) made.spec.containers = made.spec.containers.filter(({ name }) => name !== 'agent')
      else if (agent)
        agent.args = (agent.args ?? []).map((word, index, all) => (all[index - 1] === '--log-url' ? url : word))
      change(made)
      return made
    }

    function annotate(name: string, value: string): (pod: StoredPod) => void {
      return ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, [`inference-logger.io/${name}`]: value }
      }
    }

    const local = 'http://localhost:9480'
    const remote = 'http://broker.example'
    const skipped = JSON.stringify({ result: 'skip', reasons: ['port_conflict'], version: '1.0.0' })
    const injected = JSON.stringify({ result: 'inject', reasons: ['loopback_sink'], mode: 'native', version: '1.0.0' })

    const cases: [string, StoredPod | (() => StoredPod), RegExp | undefined][] = [
      ['an agent that logs to localhost and no sidecar', () => pod(local), missing],
      ['the same with an IPv4 loopback address', () => pod('http://127.1.2.3:1024'), missing],
      ['the same with an IPv6 loopback address and a path', () => pod('HTTP://[::1]:65535/events'), missing],
      ['the same with the argument in one word', () => pod(local, oneWord), missing],
      ['no agent and inject "true"', () => pod(undefined, annotate('inject', 'true')), missing],
      ['another sink and inject "true"', () => pod(remote, annotate('inject', 'true')), missing],
      ['a status of a pod that it was copied from', () => pod(local, annotate('status', injected)), missing],
      ['no logger', () => pod(undefined), undefined],
      ['another sink', () => pod(remote), undefined],
      ['a host that begins like loopback', () => pod('http://localhost.example:9480'), undefined],
      ['https on loopback', () => pod('https://localhost:9480'), undefined],
      ['a privileged port', () => pod('http://localhost:1023'), undefined],
      ['a port that is none', () => pod('http://localhost:948000'), undefined],
      ['no port, which is 80', () => pod('http://localhost'), undefined],
      ['inject "false"', () => pod(local, annotate('inject', 'false')), undefined],
      ['a status that says why not', () => pod(local, annotate('status', skipped)), undefined],
      ['a worker of a multi-node model', () => podOf('multi-node-worker', { namespace: 'models' }), undefined],
      ['the head of a multi-node model', () => podOf('multi-node-head', { namespace: 'models' }), missing],
      ['the network of the node', () => pod(local, ({ spec }) => (spec.hostNetwork = true)), undefined],
      ['Windows', () => pod(local, windows), undefined],
      ['the sidecar as a container', () => pod(local, ({ spec }) => spec.containers.push(sidecar)), undefined],
      ['the sidecar as a native one', () => pod(local, native({ ...sidecar, restartPolicy: 'Always' })), undefined],
      ['a native sidecar without restartPolicy', () => pod(local, native(sidecar)), ended],
      ['the same, opted out', () => pod(local, both(native(sidecar), annotate('inject', 'false'))), ended],
      ['an init container of that name that is another’s', () => pod(remote, native(another)), undefined],
      ['no label of KServe’s', () => pod(local, ({ metadata }) => (metadata.labels = {})), undefined],
      ['no annotations at all', () => pod(remote, ({ metadata }) => delete metadata.annotations), undefined]
    ]
    for (const [what, made, expected] of cases) {
      test(`${expected === undefined ? 'lets pass' : 'stops'} a pod with ${what}`, async () => {
        const { denied } = await verdict(typeof made === 'function' ? made() : made)
        if (expected === undefined) assert.equal(denied, '')
        else assert.match(denied, expected)
      })
    }

    test('knows nothing of namespaces without the label', async () => {
      await createNamespace(plane.client, 'elsewhere', {})
      assert.equal((await verdict(podOf('logger-localhost', { namespace: 'elsewhere' }))).denied, '')
    })

    test('says to who looks at the ReplicaSet what to do', async () => {
      const namespace = await createNamespace(plane.client, 'denied')
      const annotations = { 'inference-logger.io/inject': 'true' }
      await plane.client.create(deploymentOf('logger-localhost', { namespace, annotations }))
      const message = await eventually('the event FailedCreate', async () => {
        const events = await plane.client.list<{ reason: string; message: string }>(
          `/api/v1/namespaces/${namespace}/events`
        )
        return events.find(({ reason }) => reason === 'FailedCreate')?.message
      })
      assert.match(message, missing)
      assert.match(message, /see that its Deployment is available, then delete the pod/)
      assert.deepEqual(await podsIn(plane.client, namespace), [])
    })

    test('has no objection to any pod that the webhook has seen', async t => {
      const authority = await CertificateAuthority.create('webhook')
      const webhook = await WebhookProcess.start({ certificate: await authority.server() })
      t.after(() => webhook.close())
      await plane.client.create(inferenceLoggerConfiguration({ url: webhook.url, ca: authority.cert }))
      await eventually('the webhook is asked', async () => (await verdict(pod(local))).denied === '')
      for (const native of ['always', 'never']) {
        const made = pod(local, annotate('native-sidecar', native))
        assert.deepEqual([native, await verdict(made)], [native, { denied: '', warnings: [] }])
      }
      for (const fixture of captured) {
        const made = podOf(fixture, { namespace: 'models' })
        assert.deepEqual([fixture, (await verdict(made)).denied], [fixture, ''])
      }
    })
  })
})

function oneWord({ spec }: StoredPod): void {
  const agent = spec.containers.find(({ name }) => name === 'agent')
  if (agent) agent.args = ['-log-url=http://user:secret@localhost:9480/', '--log-mode', 'all']
}

function native(container: Container): (pod: StoredPod) => void {
  return ({ spec }) => (spec.initContainers = [...(spec.initContainers ?? []), container])
}

function both(...changes: ((pod: StoredPod) => void)[]): (pod: StoredPod) => void {
  return pod => changes.forEach(change => change(pod))
}

function windows({ spec }: StoredPod): void {
  spec.os = { name: 'windows' }
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) delete container.securityContext
}

const another: Container = { name: 'inference-logger', image: 'busybox', command: ['true'] }
