import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Container } from 'kubernetes-types/core/v1.js'
import { librdkafkaChecks } from '../../cli/settings-checks.ts'
import { type Config, parseConfig } from '../../sidecar/config/config.ts'
import { checkProperty, RESERVED_PROPERTIES } from '../../sidecar/kafka/properties.ts'
import { readSettings } from '../../webhook/settings/load.ts'
import type { Settings } from '../../webhook/settings/settings.ts'
import {
  ciFile,
  ciValues,
  Helm,
  helmBuildTimeoutMs,
  objectOf,
  type Rendered,
  withoutHelmTools
} from '../support/helm/index.ts'

describe('The program takes what the chart renders for it', { skip: withoutHelmTools() }, () => {
  let helm: Helm
  const rendered = new Map<string, Rendered[]>()
  before(
    async () => {
      helm = await Helm.create()
      for (const name of ciValues()) rendered.set(name, await helm.render('--values', ciFile(name)))
    },
    { timeout: helmBuildTimeoutMs }
  )
  after(() => helm.close())

  for (const name of ciValues()) {
    test(`with ci/${name}-values.yaml`, async () => {
      const objects = rendered.get(name) ?? []
      const parts = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
      if (parts.some(part => /^ConfigMap\/.*-settings$/.test(part))) {
        const { image } = await settingsOf(objects)
        assert.notEqual(image, '')
      }
      if (parts.some(part => /^(?:Deployment|StatefulSet)\/.*-gateway$/.test(part))) {
        assert.deepEqual(configOf(objects).warnings, [])
      }
    })
  }

  test('as it was meant: settings of the webhook', async () => {
    const settings = await settingsOf(rendered.get('everything') ?? [])
    assert.deepEqual(settings, {
      image: 'registry.example/platform/inference-logger:sidecar',
      imagePullSecrets: ['registry'],
      kubernetesVersion: { major: 1, minor: 30 },
      kserveVersion: { major: 0, minor: 15 },
      port: 9580,
      metricsPort: 9581,
      kafka: {
        brokers: 'kafka-0.kafka:9093,kafka-1.kafka:9093',
        configSecret: { kind: 'secret', name: 'kafka-credentials', key: 'client.properties' },
        ca: { kind: 'secret', name: 'kafka-cluster-ca-cert', key: 'ca.crt' },
        config: { 'linger.ms': '5', 'sasl.mechanisms': 'SCRAM-SHA-512', 'security.protocol': 'SASL_SSL' }
      },
      defaults: {
        topic: '{namespace}.{inferenceservicename}',
        'topic-replication-factor': '3',
        durability: 'fsync',
        'journal-max-bytes': '512Mi',
        'memory-limit': '384Mi',
        'native-sidecar': 'never',
        'create-topics': 'false'
      },
      annotations: { allow: ['brokers'], forbid: ['when-full'], onMistake: 'skip' },
      journal: {
        sizeLimit: '1Gi',
        claimTemplates: {
          fast: {
            metadata: { labels: { 'app.kubernetes.io/part-of': 'inference-logger' } },
            spec: {
              accessModes: ['ReadWriteOncePod'],
              storageClassName: 'fast',
              resources: { requests: { storage: '2Gi' } }
            }
          }
        },
        fsGroup: 65532
      },
      gracePeriod: { raise: false, agentDrainSeconds: 20, flushSeconds: 10 },
      securityContext: { runAsUser: 65532, runAsGroup: 65532 },
      env: { INFERENCE_LOGGER_REQUEST_TIMEOUT: '10s', INFERENCE_LOGGER_MAX_CONNECTIONS: '500' },
      ignoredNamespaces: ['staging', 'logging']
    } satisfies Settings)
  })

  test('with nothing but brokers, the program’s own defaults, and the cluster’s version', async () => {
    const settings = await settingsOf(rendered.get('minimal') ?? [])
    const least = await readSettings('{image: "inference-logger:0.1.0", kafka: {brokers: "kafka.kafka:9092"}}')
    assert.deepEqual(
      { ...settings, kubernetesVersion: undefined, ignoredNamespaces: [] },
      { ...least, kubernetesVersion: undefined }
    )
    assert.deepEqual(settings.kubernetesVersion, { major: 1, minor: 34 })
    assert.deepEqual(settings.ignoredNamespaces, ['logging'], 'a webhook that is away could not come back')
  })

  test('large numbers are written out', async () => {
    const set = ['--set', 'sidecar.env.INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES=16777216']
    const fromFile = [
      '--values',
      helm.values({
        gateway: { enabled: true, env: { KAFKA_CONFIG_BATCH_SIZE: 2_000_000 }, journal: { maxBytes: 1_000_000_000 } }
      })
    ]
    const objects = await helm.render('--values', ciFile('minimal'), ...set, ...fromFile)
    assert.equal((await settingsOf(objects)).env['INFERENCE_LOGGER_IN_FLIGHT_MAX_BYTES'], '16777216')
    const config = configOf(objects)
    assert.equal(config.kafka.global['batch.size'], '2000000')
    assert.equal(config.journalMaxBytes, 1_000_000_000)
  })

  test('as it was meant: the gateway’s environment', () => {
    const config = configOf(rendered.get('gateway-stateful') ?? [])
    assert.equal(config.brokers, 'kafka.kafka:9093', 'the sidecar’s, since it has none of its own')
    assert.equal(config.kafkaConfigFile, '/etc/inference-logger/kafka/client.properties')
    assert.deepEqual(config.kafka.global, {
      'linger.ms': '10',
      'sasl.mechanisms': 'SCRAM-SHA-512',
      'security.protocol': 'SASL_SSL',
      'ssl.ca.location': '/etc/inference-logger/ca/ca.pem'
    })
    assert.equal(config.durability, 'fsync')
    assert.equal(config.format, 'envelope', 'the original’s')
    assert.equal(config.journalMaxBytes, 2 * 2 ** 30)
    assert.equal(config.gracePeriod, 40_000)
    assert.deepEqual(config.listen, [{ host: '::', port: 8080 }])
    assert.deepEqual(config.opsListen, { host: '::', port: 9481 })
    assert.ok(!config.podNamespace, 'events without a namespace are not from the gateway’s')
  })

  test('and the gateway’s volume has room for what it may write', () => {
    const claims = objectOf(rendered.get('gateway') ?? [], 'Deployment', '-gateway')
    const { template } = claims.spec as { template: { spec: { volumes: { emptyDir?: { sizeLimit: string } }[] } } }
    assert.deepEqual(template.spec.volumes[0]?.emptyDir, { sizeLimit: '416Mi' })
  })
})

/** The webhook's settings as the webhook reads them, librdkafka's opinion included. */
async function settingsOf(objects: readonly Rendered[]): Promise<Settings> {
  const { data } = objectOf(objects, 'ConfigMap', '-settings')
  return readSettings(data?.['settings.yaml'] ?? '', librdkafkaChecks)
}

/** The gateway's configuration as the gateway reads it. */
function configOf(objects: readonly Rendered[]): Config {
  const workload = objects.find(
    ({ kind, metadata }) => /^(?:Deployment|StatefulSet)$/.test(kind) && metadata.name.endsWith('-gateway')
  )
  const { template } = workload?.spec as { template: { spec: { containers: Container[] } } }
  const env = template.spec.containers[0]?.env ?? []
  const names = env.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)], 'no variable twice')
  return parseConfig('gateway', {
    env: Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, valueFrom ? 'from-the-pod' : value])),
    readFile: () => '',
    checkProperty: (name, value) => (name === 'ssl.ca.location' ? { level: 'global' } : checkProperty(name, value)),
    reserved: RESERVED_PROPERTIES
  })
}
