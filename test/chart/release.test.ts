import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import {
  buildTimeoutMs,
  ControlPlane,
  createNamespace,
  envOf,
  eventually,
  findSidecar,
  podOf,
  sidecarOf,
  type StoredPod,
  WebhookProcess,
  withoutKubernetesTools
} from '../support/kubernetes/index.ts'
import { freePorts } from '../support/kafka/ports.ts'
import { chartFolder, Helm, objectOf, objectsOf, type Rendered, withoutHelmTools } from '../support/helm/index.ts'

interface Stored extends Rendered {
  data: Record<string, string>
  metadata: Rendered['metadata'] & { generation?: number; resourceVersion: string }
  webhooks: { clientConfig: { caBundle: string; url?: string } }[]
}

const namespace = 'logging'
const release = 'inference-logger'
const paths = {
  secret: `/api/v1/namespaces/${namespace}/secrets/${release}-webhook-certificate`,
  settings: `/api/v1/namespaces/${namespace}/configmaps/${release}-webhook-settings`,
  deployment: `/apis/apps/v1/namespaces/${namespace}/deployments/${release}-webhook`,
  configuration: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kserve-inference-logger'
} as const

/** The tests follow one another: the life of a release. */
describe('A release', { skip: withoutHelmTools() || withoutKubernetesTools() }, () => {
  let plane: ControlPlane
  let helm: Helm
  let webhook: WebhookProcess
  let port = 0
  let values: string[] = []

  before(
    async () => {
      plane = await ControlPlane.start()
      helm = await Helm.create(plane.kubeconfig)
      await createNamespace(plane.client, 'models')
      await createNamespace(plane.client, 'others', {})
      ;[port = 0] = await freePorts(1)
      // No pod runs here: the webhook is a process of this machine, and the Service is where it cannot be.
      values = [
        ...['--set', 'sidecar.kafka.brokers=kafka.kafka:9092'],
        ...['--set', `webhook.url=https://localhost:${port}/mutate`],
        ...['--set', 'webhook.certificates.dnsNames={localhost}']
      ]
    },
    { timeout: buildTimeoutMs }
  )
  after(async () => {
    await webhook?.close()
    await plane?.close()
    helm?.close()
  })

  test('is installed into a namespace of its own, and says what comes next', async () => {
    const notes = await helm.run(
      ...['install', release, chartFolder(), '--namespace', namespace, '--create-namespace', ...values]
    )
    assert.match(notes, /helm test inference-logger --namespace logging/)
    assert.match(notes, /kubectl label namespace <models> inference-logger\.io\/injection=enabled/)
    assert.match(notes, /kubectl patch inferenceservice .*http:\/\/localhost:9480/s)
    assert.match(notes, /Private clusters: .*8443/)
    const pods = await eventually('the webhook’s pods', async () => {
      const made = await plane.client.list<StoredPod>(`/api/v1/namespaces/${namespace}/pods`)
      return made.length === 2 && made
    })
    const [container] = pods[0]?.spec.containers ?? []
    assert.deepEqual(
      container?.volumeMounts?.map(({ name }) => name),
      ['settings', 'certificates'],
      'no token'
    )
  })

  test('has a certificate for the Service, which the API server is told to trust', async () => {
    const { data } = await stored('secret')
    const certificate = new X509Certificate(pem(data['tls.crt']))
    assert.match(certificate.subjectAltName ?? '', /DNS:inference-logger-webhook\.logging\.svc(?:,|$)/)
    const authority = new X509Certificate(pem(data['ca.crt']))
    assert.ok(certificate.verify(authority.publicKey))
    assert.ok(authority.ca)
    assert.equal(await caBundle(), data['ca.crt'])
  })

  test('gives the pods of labelled namespaces their sidecar', async () => {
    webhook = await WebhookProcess.start({
      certificate: await certificate(),
      settings: await settings(),
      args: ['--listen', `127.0.0.1:${port}`]
    })
    const pod = await eventually('the API server asks the webhook', async () => {
      const made = await dryRun('models')
      return findSidecar(made) !== undefined && made
    })
    const sidecar = sidecarOf(pod)
    assert.equal(sidecar.image, 'inference-logger:0.1.0')
    assert.equal(sidecar.restartPolicy, 'Always', 'the cluster’s version is known')
    assert.equal(envOf(sidecar)['KAFKA_BROKERS'], 'kafka.kafka:9092')
  })

  test('leaves the pods of other namespaces alone, and of labelled ones that are not KServe’s', async () => {
    assert.equal(findSidecar(await dryRun('others')), undefined)
    const before = await requests()
    const other = podOf('logger-localhost', { namespace: 'models' })
    delete other.metadata.labels?.['serving.kserve.io/inferenceservice']
    assert.equal(findSidecar(await plane.client.create(other, { dryRun: true })), undefined)
    assert.equal(await requests(), before, 'the webhook was not asked')
  })

  test('never looks at its own namespace, whatever its labels say', async () => {
    const label = { metadata: { labels: { 'inference-logger.io/injection': 'enabled' } } }
    await plane.client.patch(`/api/v1/namespaces/${namespace}`, label)
    // The API server takes a moment to hear of labels.
    await new Promise(resolve => setTimeout(resolve, 500))
    const before = await requests()
    assert.equal(findSidecar(await dryRun(namespace)), undefined)
    assert.equal(await requests(), before, 'the webhook was not asked, which may be away')
  })

  test('passes its helm test, with no more rights than the test’s', async () => {
    const { code, said } = await helmTest()
    assert.deepEqual({ code, said }, { code: 0, said: 'a pod in inference-logger-test gets the sidecar\n' })
  })

  test('keeps certificates and pods on an upgrade that changes settings', async () => {
    const [secret, bundle, { metadata: before }] = [
      await stored('secret'),
      await caBundle(),
      await stored('deployment')
    ]
    await upgrade('--set', 'sidecar.defaults.durability=fsync')
    assert.deepEqual((await stored('secret')).data, secret.data)
    assert.equal(await caBundle(), bundle)
    assert.equal((await stored('deployment')).metadata.generation, before.generation, 'settings replace no pods')
    webhook.setSettings(await settings())
    await eventually('new pods have it', async () => durability(await dryRun('models')) === 'fsync')
  })

  test('goes back', async () => {
    const secret = await stored('secret')
    await helm.run('rollback', release, '1', '--namespace', namespace)
    assert.deepEqual((await stored('secret')).data, secret.data)
    webhook.setSettings(await settings())
    await eventually('new pods have it', async () => durability(await dryRun('models')) === undefined)
  })

  test('gets a new certificate in time, and goes on with the old one until the pods have it', async () => {
    const old = await stored('secret')
    const soon = Math.round(Date.now() / 1000) + 30 * 86_400
    const annotations = { 'inference-logger.io/valid-until': String(soon) }
    await plane.client.patch(paths.secret, { metadata: { annotations } })
    await upgrade()
    const { data } = await stored('secret')
    assert.notEqual(data['tls.crt'], old.data['tls.crt'])
    assert.equal(await caBundle(), data['ca.crt'])
    assert.equal(pem(data['ca.crt']).match(/BEGIN CERTIFICATE/g)?.length, 2, 'the old authority is trusted as well')
    await asked('with the old certificate')
    webhook.setCertificate(await certificate())
    const reloads = 'inference_logger_webhook_certificate_reloads_total{result="success"}'
    await eventually('the webhook has it', async () => (await webhook.metrics()).get(reloads) === 1)
    await asked('with the new one')
    const { metadata } = await stored('deployment')
    assert.ok((metadata.generation ?? 0) > 1, 'the checksum replaces pods')
  })

  test('gets a new certificate for another name', async () => {
    const { data: old } = await stored('secret')
    await upgrade('--set', 'webhook.certificates.dnsNames={localhost,webhook.example}')
    const { data } = await stored('secret')
    assert.match(new X509Certificate(pem(data['tls.crt'])).subjectAltName ?? '', /DNS:webhook\.example/)
    assert.notEqual(data['tls.key'], old['tls.key'])
    assert.equal(pem(data['ca.crt']).match(/BEGIN CERTIFICATE/g)?.length, 2, 'and no more than that')
  })

  test('says what is wrong when the webhook is away: its helm test fails, and pods are made without a sidecar', async () => {
    await webhook.close()
    assert.equal(findSidecar(await dryRun('models')), undefined, 'failurePolicy Ignore')
    const { code, said } = await helmTest(3000)
    assert.equal(code, 1)
    assert.match(
      said,
      /did not ask the webhook logging\/inference-logger-webhook.*a firewall rule in private clusters/s
    )
  })

  test('leaves nothing behind when it is uninstalled', async () => {
    await helm.run('uninstall', release, '--namespace', namespace)
    const kinds =
      'all,secret,configmap,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,poddisruptionbudget,' +
      'networkpolicy,mutatingwebhookconfiguration,validatingadmissionpolicy'
    await eventually('everything is gone', async () => {
      const selector = `app.kubernetes.io/instance=${release}`
      const { stdout } = await plane.kubectl(['get', kinds, '--all-namespaces', '--selector', selector, '-o', 'name'])
      // Of the helm test's objects, which this test made itself.
      return stdout.split('\n').every(name => name === '' || name.endsWith('/inference-logger-test'))
    })
  })

  function stored(what: keyof typeof paths): Promise<Stored> {
    return plane.client.get<Stored>(paths[what])
  }

  async function caBundle(): Promise<string | undefined> {
    return (await stored('configuration')).webhooks[0]?.clientConfig.caBundle
  }

  async function certificate(): Promise<{ cert: string; key: string }> {
    const { data } = await stored('secret')
    return { cert: pem(data['tls.crt']), key: pem(data['tls.key']) }
  }

  async function settings(): Promise<object> {
    return parse((await stored('settings')).data['settings.yaml'] ?? '') as object
  }

  async function upgrade(...args: readonly string[]): Promise<void> {
    await helm.run('upgrade', release, chartFolder(), '--namespace', namespace, ...values, ...args)
  }

  /** How often the webhook was asked. */
  async function requests(): Promise<number> {
    const samples = [...(await webhook.metrics())]
    return samples
      .filter(([name]) => name.startsWith('inference_logger_webhook_requests_total'))
      .reduce((sum, [, count]) => sum + count, 0)
  }

  function dryRun(into: string): Promise<StoredPod> {
    return plane.client.create(podOf('logger-localhost', { namespace: into }), { dryRun: true })
  }

  async function asked(how: string): Promise<void> {
    // The API server learns of a new configuration within a second, and tries the old one until then.
    await new Promise(resolve => setTimeout(resolve, 1000))
    assert.ok(findSidecar(await dryRun('models')), how)
  }

  /** What `helm test` runs, in this process's stead of a pod's: there is no node here. */
  async function helmTest(patienceMs?: number): Promise<{ code: number; said: string }> {
    const hooks = objectsOf(await helm.run('get', 'hooks', release, '--namespace', namespace))
    const pod = objectOf(hooks, 'Pod', '-test')
    const made = hooks.filter(({ kind }) => kind !== 'Pod')
    for (const input of made) await plane.kubectl(['apply', '--filename', '-'], { input })
    const { containers } = pod.spec as {
      containers: { command: string[]; args: string[]; env: { name: string; value: string }[] }[]
    }
    const [container] = containers
    assert.ok(container)
    const [, ...words] = [...container.command, ...container.args]
    const { status } = await plane.client.post<{ status: { token: string } }>(
      `/api/v1/namespaces/${namespace}/serviceaccounts/${release}-test/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
    )
    const account = mkdtempSync(join(tmpdir(), 'inference-logger-account-'))
    writeFileSync(join(account, 'token'), status.token)
    writeFileSync(join(account, 'ca.crt'), plane.authority.cert)
    const { hostname, port: apiPort } = new URL(plane.url)
    const env = {
      ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
      ...(patienceMs === undefined ? {} : { PATIENCE_MS: String(patienceMs) }),
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: apiPort,
      TEST_SERVICE_ACCOUNT: account
    }
    const asPod = pathToFileURL(join(import.meta.dirname, '..', 'support', 'kubernetes', 'service-account.js')).href
    try {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', asPod, ...words], { env })
      return { code: 0, said: stdout }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, said: stdout + stderr }
    } finally {
      rmSync(account, { recursive: true })
    }
  }
})

function pem(base64 = ''): string {
  return Buffer.from(base64, 'base64').toString()
}

function durability(pod: StoredPod): string | undefined {
  return envOf(sidecarOf(pod))['INFERENCE_LOGGER_DURABILITY']
}
