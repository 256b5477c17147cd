import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { applyPatch } from 'rfc6902'
import type { Container, Pod } from 'kubernetes-types/core/v1.js'
import { reviewPod } from '../../../webhook/review-pod.ts'
import type { Report } from '../../../webhook/review.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'
import { loggingPod, SETTINGS, type PodParts } from '../pods.ts'

interface Injected {
  pod: Pod
  report: Report
  container: Container
  env: Record<string, string | undefined>
}

function inject(parts: PodParts = {}, settings: Partial<Settings> = {}): Injected {
  const pod = loggingPod(parts)
  const { report, patch } = reviewPod({ pod, namespace: 'models', settings: { ...SETTINGS, ...settings } })
  const injected = structuredClone(pod)
  assert.deepEqual(
    applyPatch(injected, structuredClone([...patch])).filter(error => error !== null),
    []
  )
  const admitted = injected as unknown as Pod
  const all = [...(admitted.spec?.initContainers ?? []), ...(admitted.spec?.containers ?? [])]
  const container = all.find(({ name }) => name === 'inference-logger')
  assert.ok(container, JSON.stringify(report))
  const env = Object.fromEntries(
    (container.env ?? []).map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef?.fieldPath])
  )
  return { pod: admitted, report, container, env }
}

function annotated(annotations: Record<string, string>): PodParts {
  return {
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`inference-logger.io/${name}`, value])
    )
  }
}

function names(containers: readonly Container[] | undefined): string[] {
  return (containers ?? []).map(({ name }) => name)
}

describe('the form of the sidecar', () => {
  const initNames = (parts: PodParts = {}, settings: Partial<Settings> = {}): string[] =>
    names(inject(parts, settings).pod.spec?.initContainers)
  const version = (text: string): { major: number; minor: number } => {
    const [major = 0, minor = 0] = text.split('.').map(Number)
    return { major, minor }
  }

  test('is a native sidecar, with restartPolicy Always', () => {
    const { pod, container } = inject()
    assert.equal(container.restartPolicy, 'Always')
    assert.deepEqual(names(pod.spec?.initContainers), ['inference-logger'])
  })

  for (const [kubernetes, kserve, native] of [
    ['1.29', '0.12', true],
    ['1.28', '0.12', false],
    ['1.29', '0.11', false],
    ['2.0', '1.0', true],
    ['1.34', undefined, true],
    [undefined, '0.11', false]
  ] as const) {
    test(`with Kubernetes ${kubernetes ?? 'unknown'} and KServe ${kserve ?? 'unknown'} it is ${native ? 'native' : 'an ordinary container'}`, () => {
      const settings = {
        kubernetesVersion: kubernetes === undefined ? undefined : version(kubernetes),
        kserveVersion: kserve === undefined ? undefined : version(kserve)
      }
      assert.deepEqual(initNames({}, settings), native ? ['inference-logger'] : [])
    })
  }

  test('is what annotation or settings say, whatever the versions are', () => {
    const old = { kubernetesVersion: version('1.28') }
    assert.deepEqual(initNames(annotated({ 'native-sidecar': 'always' }), old), ['inference-logger'])
    assert.deepEqual(initNames(annotated({ 'native-sidecar': 'never' })), [])
    assert.deepEqual(initNames({}, { defaults: { 'native-sidecar': 'never' } }), [])
  })

  test('is an ordinary container in a pod of KFServing, which is older than native sidecars', () => {
    const labels = { 'serving.kserve.io/inferenceservice': undefined, 'serving.kubeflow.org/inferenceservice': 'iris' }
    const { pod, env } = inject({ labels })
    assert.deepEqual(names(pod.spec?.containers), ['kserve-container', 'agent', 'inference-logger'])
    assert.equal(env['INFERENCE_SERVICE_NAME'], "metadata.labels['serving.kubeflow.org/inferenceservice']")
  })

  test('an ordinary container is the last: KServe copies from the first', () => {
    const { pod, container } = inject(annotated({ 'native-sidecar': 'never' }))
    assert.deepEqual(names(pod.spec?.containers), ['kserve-container', 'agent', 'inference-logger'])
    assert.equal(container.restartPolicy, undefined)
  })

  // Behind istio-init the kubelet's probe would go to a proxy that starts only when all init containers have ended.
  test('a native sidecar comes before init containers that may redirect the network', () => {
    const initContainers = [{ name: 'istio-init' }, { name: 'storage-initializer' }]
    assert.deepEqual(initNames({ spec: { initContainers } }), ['inference-logger', 'istio-init', 'storage-initializer'])
  })

  // What starts before it ends after it: the last events still need the mesh's proxy to reach Kafka.
  test('a native sidecar comes after other native sidecars', () => {
    const initContainers = [{ name: 'istio-proxy', restartPolicy: 'Always' }, { name: 'storage-initializer' }]
    assert.deepEqual(initNames({ spec: { initContainers } }), [
      'istio-proxy',
      'inference-logger',
      'storage-initializer'
    ])
  })
})

describe('the end of a pod', () => {
  const end = (parts: PodParts, settings: Partial<Settings> = {}): unknown[] => {
    const { pod, env } = inject(parts, settings)
    return [
      pod.spec?.terminationGracePeriodSeconds,
      pod.metadata?.annotations?.['inference-logger.io/original-termination-grace-period-seconds'],
      env['INFERENCE_LOGGER_DRAIN_IDLE'],
      env['INFERENCE_LOGGER_GRACE_PERIOD']
    ]
  }
  const grace = (seconds: number): PodParts => ({ spec: { terminationGracePeriodSeconds: seconds } })

  test('the grace period is raised to the agent’s drain and a flush, and the old one is kept', () => {
    assert.deepEqual(end(grace(30)), [45, '30', '0s', '12s'])
    assert.deepEqual(end({}), [45, '30', '0s', '12s'], 'Kubernetes’ default, in a manifest that does not say')
    assert.deepEqual(end(grace(0)), [45, '0', '0s', '12s'])
  })

  test('a longer one stays, and the sidecar makes use of it', () => {
    assert.deepEqual(end(grace(45)), [45, undefined, '0s', '12s'])
    assert.deepEqual(end(grace(300)), [300, undefined, '0s', '267s'])
    assert.deepEqual(end(grace(200_000)), [200_000, undefined, '0s', '86400s'], 'the most that the sidecar takes')
  })

  test('an ordinary container outwaits the agent’s drain, since both get their signal together', () => {
    const parts = { ...annotated({ 'native-sidecar': 'never' }), ...grace(30) }
    assert.deepEqual(end(parts), [45, '30', '31s', '42s'])
  })

  test('settings and annotation decide', () => {
    assert.deepEqual(end(grace(30), { gracePeriod: { raise: false, agentDrainSeconds: 30, flushSeconds: 15 } }), [
      30,
      undefined,
      '0s',
      '5s'
    ])
    assert.deepEqual(end(grace(30), { gracePeriod: { raise: true, agentDrainSeconds: 10, flushSeconds: 5 } }), [
      30,
      undefined,
      '0s',
      '17s'
    ])
    assert.deepEqual(end({ ...annotated({ 'termination-grace-period-seconds': '120' }), ...grace(30) }), [
      120,
      '30',
      '0s',
      '87s'
    ])
    assert.deepEqual(
      end({ ...annotated({ 'termination-grace-period-seconds': '10' }), ...grace(30) }),
      [30, undefined, '0s', '5s'],
      'never shortened'
    )
  })
})

describe('the environment of the sidecar', () => {
  test('has the pod’s names from the kubelet', () => {
    const { env } = inject()
    const expected = {
      POD_NAME: 'metadata.name',
      POD_NAMESPACE: 'metadata.namespace',
      NODE_NAME: 'spec.nodeName',
      INFERENCE_SERVICE_NAME: "metadata.labels['serving.kserve.io/inferenceservice']",
      COMPONENT: "metadata.labels['component']",
      REVISION: "metadata.labels['serving.knative.dev/revision']"
    }
    assert.deepEqual({ ...env, ...expected }, env)
  })

  test('has what an annotation says, or the settings, and leaves the rest to the sidecar’s defaults', () => {
    const { env } = inject(annotated({ topic: 'a-topic', 'when-full': 'drop-oldest' }), {
      defaults: { format: 'structured', topic: 'another' }
    })
    assert.equal(env['KAFKA_TOPIC'], 'a-topic')
    assert.equal(env['INFERENCE_LOGGER_WHEN_FULL'], 'drop-oldest')
    assert.equal(env['INFERENCE_LOGGER_FORMAT'], 'structured')
    assert.equal(env['INFERENCE_LOGGER_DURABILITY'], undefined)
  })

  test('has Kafka’s brokers once, those of the annotation where that is allowed', () => {
    assert.equal(inject().env['KAFKA_BROKERS'], 'kafka:9092')
    const settings = { annotations: { allow: ['brokers'], forbid: [], onMistake: 'deny' } } as const
    const { env, container } = inject(annotated({ brokers: 'mine:9093' }), settings)
    assert.equal(env['KAFKA_BROKERS'], 'mine:9093')
    assert.equal(container.env?.filter(({ name }) => name === 'KAFKA_BROKERS').length, 1)
  })

  test('has librdkafka’s properties by the names of their variables, and the settings’ own variables', () => {
    const { env } = inject(
      {},
      {
        kafka: { ...SETTINGS.kafka, config: { 'security.protocol': 'ssl', 'linger.ms': '20' } },
        env: { NODE_EXTRA_CA_CERTS: '/a' }
      }
    )
    assert.equal(env['KAFKA_CONFIG_SECURITY_PROTOCOL'], 'ssl')
    assert.equal(env['KAFKA_CONFIG_LINGER_MS'], '20')
    assert.equal(env['NODE_EXTRA_CA_CERTS'], '/a')
  })

  // Bodies of 1 MB at full speed against a full journal had a container of 128Mi killed.
  test('bounds the heap by the memory limit, unless the settings have options of their own', () => {
    assert.equal(inject().env['NODE_OPTIONS'], '--max-semi-space-size=4 --max-old-space-size=128')
    const small = inject(annotated({ 'memory-limit': '128Mi' })).env['NODE_OPTIONS']
    assert.equal(small, '--max-semi-space-size=1 --max-old-space-size=64')
    const { container } = inject({}, { env: { NODE_OPTIONS: '--trace-gc' } })
    const values = container.env?.filter(({ name }) => name === 'NODE_OPTIONS').map(({ value }) => value)
    assert.deepEqual(values, ['--trace-gc'])
  })

  test('takes events where the agent sends them, and shows metrics to both families of addresses', () => {
    const { env, container } = inject({ sink: 'http://[::1]:9500' }, { metricsPort: 9600 })
    assert.equal(env['INFERENCE_LOGGER_LISTEN'], '[::1]:9500')
    assert.equal(env['INFERENCE_LOGGER_OPS_LISTEN'], '[::]:9600')
    assert.deepEqual(container.ports, [{ name: 'il-metrics', containerPort: 9600, protocol: 'TCP' }])
  })
})

describe('the volumes of the sidecar', () => {
  test('the journal’s emptyDir holds all that the sidecar may write: the kubelet evicts a pod that passes the limit', () => {
    const limit = (annotations: Record<string, string>, settings: Partial<Settings> = {}): string | undefined =>
      inject(annotated(annotations), settings).pod.spec?.volumes?.find(
        ({ name }) => name === 'inference-logger-journal'
      )?.emptyDir?.sizeLimit
    assert.equal(limit({}), '416Mi', '256Mi and what is set aside of it, 64Mi of dead letters, and a little')
    assert.equal(limit({ 'journal-max-bytes': '1Gi', 'dead-letter-max-bytes': '128Mi' }), '1440Mi')
    assert.equal(limit({}, { journal: { ...SETTINGS.journal, sizeLimit: '2Gi' } }), '2Gi')
  })

  test('a claim template makes an ephemeral volume, with an fsGroup where the pod has none', () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    const journal = { ...SETTINGS.journal, claimTemplates: { ssd: { spec } }, fsGroup: 65532 }
    const { pod } = inject(annotated({ 'journal-volume': 'ssd' }), { journal })
    const volume = pod.spec?.volumes?.find(({ name }) => name === 'inference-logger-journal')
    assert.deepEqual(volume?.ephemeral?.volumeClaimTemplate, { spec })
    assert.equal(pod.spec?.securityContext?.fsGroup, 65532)
    const own = inject(
      { ...annotated({ 'journal-volume': 'ssd' }), spec: { securityContext: { fsGroup: 7 } } },
      { journal }
    )
    assert.equal(own.pod.spec?.securityContext?.fsGroup, 7)
    assert.equal(inject({}, { journal }).pod.spec?.securityContext, undefined, 'nothing of that for an emptyDir')
  })

  test('Kafka’s configuration and authorities are mounted for reading, and their paths are in the environment', () => {
    const kafka = {
      ...SETTINGS.kafka,
      configSecret: { kind: 'secret', name: 'kafka-client', key: 'client.properties' },
      ca: { kind: 'configMap', name: 'kafka-ca', key: 'ca.crt' }
    } as const
    const { pod, container, env } = inject({}, { kafka })
    assert.deepEqual(pod.spec?.volumes?.slice(1), [
      {
        name: 'inference-logger-kafka-config',
        secret: { secretName: 'kafka-client', items: [{ key: 'client.properties', path: 'client.properties' }] }
      },
      { name: 'inference-logger-kafka-ca', configMap: { name: 'kafka-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] } }
    ])
    assert.deepEqual(
      container.volumeMounts?.slice(1).map(({ readOnly }) => readOnly),
      [true, true]
    )
    assert.equal(env['KAFKA_CONFIG_FILE'], '/etc/inference-logger/kafka/client.properties')
    assert.equal(env['KAFKA_CONFIG_SSL_CA_LOCATION'], '/etc/inference-logger/ca/ca.crt')
    const settings = { kafka, annotations: { allow: ['kafka-config-secret'], forbid: [], onMistake: 'deny' } } as const
    const mine = inject(annotated({ 'kafka-config-secret': 'mine' }), settings)
    assert.equal(mine.pod.spec?.volumes?.[1]?.secret?.secretName, 'mine')
  })
})

describe('the container of the sidecar', () => {
  test('has everything that Pod Security’s level restricted asks, whatever the pod has', () => {
    const { securityContext } = inject().container
    assert.deepEqual(securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' }
    })
  })

  // Otherwise: "container has runAsNonRoot and image will run as root", and the pod never starts.
  test('names its user in a pod whose user is root', () => {
    assert.equal(inject({ spec: { securityContext: { runAsUser: 0 } } }).container.securityContext?.runAsUser, 65532)
    const securityContext = { runAsUser: 1000, runAsGroup: 2000 }
    const { container } = inject({ spec: { securityContext: { runAsUser: 0 } } }, { securityContext })
    assert.equal(container.securityContext?.runAsUser, 1000)
    assert.equal(container.securityContext.runAsGroup, 2000)
  })

  test('always has requests and limits', () => {
    const resources = (annotations: Record<string, string>): unknown =>
      inject(annotated(annotations)).container.resources
    const usual = { requests: { cpu: '50m', memory: '128Mi' }, limits: { cpu: '1', memory: '256Mi' } }
    assert.deepEqual(resources({}), usual)
    assert.deepEqual(resources({ 'memory-limit': '96Mi', 'cpu-limit': '20m' }), {
      requests: { cpu: '20m', memory: '96Mi' },
      limits: { cpu: '20m', memory: '96Mi' }
    })
  })

  // "must be less than or equal to pod limits": the API server would refuse the pod.
  test('has none of its own in a pod that sets them for all its containers', () => {
    const resources = { requests: { cpu: '1' }, limits: { memory: '2Gi' } }
    assert.equal(inject({ spec: { resources } }).container.resources, undefined)
    assert.deepEqual(inject({ spec: { resources: {} } }).container.resources?.limits, { cpu: '1', memory: '256Mi' })
  })

  test('has probes that ask nothing of Kafka, and no readiness probe', () => {
    const { startupProbe, livenessProbe, readinessProbe } = inject().container
    assert.deepEqual(startupProbe?.httpGet, { path: '/readyz', port: 'il-metrics' })
    assert.deepEqual(livenessProbe?.httpGet, { path: '/healthz', port: 'il-metrics' })
    assert.equal(livenessProbe.terminationGracePeriodSeconds, 10, 'a hung process is not waited for')
    assert.equal(readinessProbe, undefined)
  })

  test('has the image and pull policy of settings and annotations', () => {
    const settings = { annotations: { allow: ['image'], forbid: [], onMistake: 'deny' } } as const
    const { container } = inject(annotated({ image: 'mine:2', 'image-pull-policy': 'Always' }), settings)
    assert.deepEqual([container.image, container.imagePullPolicy], ['mine:2', 'Always'])
  })

  test('pull secrets are added to the pod’s own, once', () => {
    const spec = { imagePullSecrets: [{ name: 'own' }, { name: 'shared' }] }
    const { pod } = inject({ spec }, { imagePullSecrets: ['shared', 'new'] })
    assert.deepEqual(pod.spec?.imagePullSecrets, [{ name: 'own' }, { name: 'shared' }, { name: 'new' }])
  })
})
