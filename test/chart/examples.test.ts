import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { parse as parseProperties } from 'dot-properties'
import { librdkafkaChecks } from '../../cli/settings-checks.ts'
import { parseConfig } from '../../sidecar/config/config.ts'
import { checkProperty, RESERVED_PROPERTIES } from '../../sidecar/kafka/properties.ts'
import { annotations, PREFIX, type Annotation } from '../../webhook/annotations/table.ts'
import { readSettings } from '../../webhook/settings/load.ts'
import { CertificateAuthority } from '../support/certificates.ts'
import { repositoryRoot } from '../support/kafka/tools.ts'
import {
  buildTimeoutMs,
  ControlPlane,
  createNamespace,
  kubernetesTools,
  withoutKubernetesTools
} from '../support/kubernetes/index.ts'
import {
  chartFolder,
  Helm,
  objectOf,
  objectsOf,
  type Rendered,
  withoutHelmTools,
  helmOfSuite
} from '../support/helm/index.ts'

const folder = join(repositoryRoot(), 'examples')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
const objectsIn = (name: string): Rendered[] => objectsOf(read(name))
const valuesFiles = files.filter(name => name.endsWith('values.yaml'))
const manifests = files.filter(name => name.endsWith('.yaml') && !valuesFiles.includes(name))

describe('Examples', { skip: withoutHelmTools() }, () => {
  const helm = helmOfSuite()

  for (const name of valuesFiles) {
    test(`${name}: values that the chart takes, and settings that the webhook takes`, async () => {
      const objects = await helm().render('--values', join(folder, name))
      const settings = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-settings'))
      if (settings) await readSettings(settings.data?.['settings.yaml'] ?? '', librdkafkaChecks)
    })
  }

  test('InferenceServices log to where the sidecar is, with annotations that exist and values that they may have', () => {
    const services = manifests.flatMap(objectsIn).filter(({ kind }) => kind === 'InferenceService')
    assert.ok(services.length >= 3)
    for (const { metadata, spec = {} } of services) {
      const components = Object.values(spec) as { logger?: { url: string; mode: string } }[]
      assert.deepEqual(
        components.flatMap(({ logger }) => (logger ? [logger.url] : [])),
        ['http://localhost:9480']
      )
      for (const [name, value] of Object.entries(metadata.annotations ?? {})) {
        if (!name.startsWith(PREFIX)) continue
        const annotation = (annotations as Readonly<Record<string, Annotation>>)[name.slice(PREFIX.length)]
        assert.ok(annotation?.allowed, name)
        annotation.parse(value)
      }
    }
  })

  test('the gateway takes the place of the original: the same address, and the same variables', async () => {
    const original = objectsIn('migration/original.yaml')
    const gateway = await helm().render('--values', join(folder, 'migration/gateway-values.yaml'))
    const before = objectOf(original, 'Service')
    const after = objectOf(gateway, 'Service')
    const address = ({ metadata, spec }: Rendered): unknown => {
      return [metadata.namespace, metadata.name, (spec?.['ports'] as { port: number }[])[0]?.port]
    }
    assert.deepEqual(address(after), address(before))
    const variables = (objects: readonly Rendered[]): Map<string, string> => {
      const { template } = objectOf(objects, 'Deployment').spec as {
        template: { spec: { containers: { env: { name: string; value: string }[] }[] } }
      }
      return new Map(template.spec.containers[0]?.env.map(({ name, value }) => [name, value]))
    }
    const now = variables(gateway)
    for (const [name, value] of variables(original)) assert.equal(now.get(name), value, name)
  })

  test('ACLs of the Strimzi user are for the topics that the values name', () => {
    const { spec } = objectOf(objectsIn('kafka-strimzi-tls/user.yaml'), 'KafkaUser')
    const { acls } = (spec as { authorization: { acls: { resource: { name: string } }[] } }).authorization
    const topic = /topic: (\S+)/.exec(read('kafka-strimzi-tls/values.yaml'))?.[1] ?? ''
    assert.ok(acls.some(({ resource }) => topic.startsWith(resource.name)))
  })

  test('the SCRAM Secret is a properties file that librdkafka takes', () => {
    const secret = objectsIn('kafka-scram/secret.yaml')[0] as unknown as { stringData: Record<string, string> }
    const { kafka } = parseConfig('sidecar', {
      env: { KAFKA_BROKERS: 'kafka:9092', KAFKA_CONFIG_FILE: 'kafka.properties' },
      readFile: name => secret.stringData[name] ?? '',
      checkProperty,
      reserved: RESERVED_PROPERTIES
    })
    assert.deepEqual(kafka.global, { 'sasl.username': 'inference-logger', 'sasl.password': 'change-me' })
  })

  test('README.md names each folder', () => {
    const folders = new Set(files.filter(name => name.includes('/')).map(name => dirname(name)))
    for (const name of folders) assert.match(read('README.md'), new RegExp(`\\(${name}\\)`))
  })
})

describe('Examples in a cluster', { skip: withoutHelmTools() || withoutKubernetesTools() }, () => {
  let plane: ControlPlane
  let helm: Helm
  before(
    async () => {
      plane = await ControlPlane.start()
      helm = await Helm.create(plane.kubeconfig)
      for (const name of ['models', 'kafka', 'logging']) await createNamespace(plane.client, name, {})
    },
    { timeout: buildTimeoutMs }
  )
  after(async () => {
    await plane?.close()
    helm?.close()
  })

  test('objects of Kubernetes’ own kinds are taken as they are', async () => {
    const own = /^(?:v1|apps\/v1)$/
    const objects = manifests.flatMap(objectsIn).filter(({ apiVersion = '' }) => own.test(apiVersion))
    assert.ok(objects.length >= 4)
    for (const input of objects.filter(({ kind }) => kind !== 'Namespace')) {
      await plane.kubectl(['create', '--dry-run=server', '--validate=strict', '--filename', '-'], { input })
    }
  })

  test('the gateway gets the original’s Service in the way that docs/installing.md says', async () => {
    await plane.kubectl(['apply', '--filename', join(folder, 'migration/original.yaml')])
    const args = ['inference-logger', chartFolder(), '--namespace', 'logging']
    const values = ['--values', join(folder, 'migration/gateway-values.yaml')]
    // Nothing runs here for which --wait could wait.
    await helm.run('install', ...args, ...values, '--set', 'gateway.service.name=inference-logger-next')
    await plane.kubectl(['delete', 'service', 'inference-logger', '--namespace', 'logging'])
    await helm.run('upgrade', ...args, ...values)
    const services = await plane.client.list<Rendered>('/api/v1/namespaces/logging/services')
    assert.deepEqual(
      services.map(({ metadata }) => metadata.name),
      ['inference-logger']
    )
    assert.deepEqual(services[0]?.spec?.['selector'], {
      'app.kubernetes.io/name': 'inference-logger',
      'app.kubernetes.io/instance': 'inference-logger',
      'app.kubernetes.io/component': 'gateway'
    })
    await helm.run('upgrade', ...args, '--values', join(folder, 'migration/sidecar-values.yaml'))
  })

  test('copy-credentials.sh makes Secrets that the sidecar reads', async () => {
    const authority = await CertificateAuthority.create('Kafka')
    const { cert, key } = await authority.client('inference-logger')
    await plane.client.create(secret('inference-cluster-ca-cert', { 'ca.crt': authority.cert }))
    await plane.client.create(secret('inference-logger', { 'user.crt': cert, 'user.key': key }))
    const { kubectl } = await kubernetesTools(['kubectl'])
    const env = {
      PATH: `${dirname(kubectl)}:${process.env['PATH']}`,
      KUBECONFIG: plane.kubeconfig,
      HOME: plane.processes.folder
    }
    const script = join(folder, 'kafka-strimzi-tls', 'copy-credentials.sh')
    // Twice: it is run again when certificates were renewed.
    for (const word of ['created', 'configured|unchanged']) {
      const { stdout } = await promisify(execFile)('sh', [script, 'models'], { env })
      assert.match(stdout, new RegExp(`secret/kafka-credentials (?:${word})`))
    }
    const made = async (name: string, file: string): Promise<string> => {
      const { data } = await plane.client.get<{ data: Record<string, string> }>(
        `/api/v1/namespaces/models/secrets/${name}`
      )
      return Buffer.from(data[file] ?? '', 'base64').toString()
    }
    assert.equal((await made('kafka-ca', 'ca.crt')).trim(), authority.cert.trim())
    const text = await made('kafka-credentials', 'kafka.properties')
    const properties = parseProperties(text) as Record<string, string>
    assert.equal(properties['ssl.certificate.pem'], cert)
    assert.equal(properties['ssl.key.pem'], key)
    const { kafka } = parseConfig('sidecar', {
      env: { KAFKA_BROKERS: 'kafka:9093', KAFKA_CONFIG_FILE: 'kafka.properties' },
      readFile: () => text,
      checkProperty,
      reserved: RESERVED_PROPERTIES
    })
    assert.equal(kafka.global['ssl.key.pem'], key)
  })
})

function secret(name: string, stringData: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kafka' }, stringData }
}
