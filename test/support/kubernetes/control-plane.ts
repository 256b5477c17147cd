import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CertificateAuthority, type CertificatePair } from '../certificates.ts'
import { freePorts } from '../kafka/ports.ts'
import { KubernetesClient } from './client.ts'
import { type KubectlOptions, type KubectlOutput, runKubectl } from './kubectl.ts'
import { Processes } from './processes.ts'
import { controlPlanePrograms, kubernetesTools } from './tools.ts'

/** How a control plane differs from the usual one. */
export interface ControlPlaneOptions {
  /** Where the API server listens and where everybody reaches it; 127.0.0.1. Nodes need one that pods have a way to. */
  bindAddress?: string
  /** Names and addresses for the API server's certificate beside its own. */
  names?: readonly string[]
  /** Of kube-controller-manager, by name; {@link defaultControllers}. */
  controllers?: readonly string[]
  /** false: pods need no ServiceAccount and get no token. As in a real cluster it is on. */
  serviceAccountAdmission?: boolean
  /** Further flags of the API server, and others for those that are set. */
  apiServer?: Readonly<Record<string, string>>
  /** The same for kube-controller-manager. */
  controllerManager?: Readonly<Record<string, string>>
  /** Files that these flags name, by their paths in the folder where the programs run. */
  files?: Readonly<Record<string, string>>
}

/** Deployments become pods, namespaces get their ServiceAccount and go away, quotas are counted. */
export const defaultControllers = [
  'deployment-controller',
  'replicaset-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'resourcequota-controller'
] as const

const serviceAddress = '10.0.0.1'

/** etcd, kube-apiserver and kube-controller-manager: a Kubernetes whose pods wait for a node. Ready in about 4 s. */
export class ControlPlane {
  /** The API server's, `https://…`. */
  readonly url: string
  /** What may do everything. */
  readonly client: KubernetesClient
  /** Path of the administrator's kubeconfig, which has its certificates in it. */
  readonly kubeconfig: string
  /** Signs the API server's certificate, and those of clients that it trusts. */
  readonly authority: CertificateAuthority
  /** The programs, and the folder that goes with them: for what else has to end with the control plane. */
  readonly processes: Processes
  /** Path of the private key that signs ServiceAccounts' tokens. */
  readonly serviceAccountKey: string
  readonly #kubectl: string

  private constructor(own: {
    url: string
    client: KubernetesClient
    authority: CertificateAuthority
    processes: Processes
    kubectl: string
  }) {
    this.url = own.url
    this.client = own.client
    this.authority = own.authority
    this.processes = own.processes
    this.kubeconfig = join(own.processes.folder, 'kubeconfig')
    this.serviceAccountKey = join(own.processes.folder, 'service-account.key')
    this.#kubectl = own.kubectl
  }

  /** Starts everything and waits until it is of use. Rejects with the log of what did not start; nothing is left then. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const tools = await kubernetesTools(controlPlanePrograms)
    const processes = new Processes(await mkdtemp(join(tmpdir(), 'inference-logger-kubernetes-')))
    try {
      const { bindAddress = '127.0.0.1' } = options
      const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3)
      const url = `https://${bindAddress}:${port}`
      const authority = await CertificateAuthority.create('kubernetes')
      const admin = await authority.client('admin', ['system:masters'])
      const own = await ownFiles(authority, url, admin, [bindAddress, ...(options.names ?? [])])
      for (const [name, text] of Object.entries({ ...own, ...options.files })) {
        await writeFile(join(processes.folder, name), text, { mode: 0o600 })
      }
      const client = new KubernetesClient(url, { ca: authority.cert, ...admin })
      const plane = new ControlPlane({ url, client, authority, processes, kubectl: tools.kubectl })

      processes.start('etcd', tools.etcd, flags(etcdFlags(etcdPort, peerPort)))
      const apiServer = apiServerFlags(bindAddress, port, etcdPort, options.serviceAccountAdmission ?? true)
      processes.start('kube-apiserver', tools['kube-apiserver'], flags({ ...apiServer, ...options.apiServer }))
      await processes.waitFor('kube-apiserver', () => client.isReady())
      const controllers = options.controllers ?? defaultControllers
      const controllerManager = { ...controllerManagerFlags(controllers), ...options.controllerManager }
      processes.start('kube-controller-manager', tools['kube-controller-manager'], flags(controllerManager))
      if (controllers.includes('serviceaccount-controller')) await plane.#hasServiceAccounts()
      return plane
    } catch (error) {
      await processes.close()
      throw error
    }
  }

  /** What a user would type behind `kubectl`. @throws {KubectlError} */
  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlOutput> {
    const cache = join(this.processes.folder, 'kubectl-cache')
    return runKubectl(this.#kubectl, ['--kubeconfig', this.kubeconfig, '--cache-dir', cache, ...args], options)
  }

  /** Kills everything, and deletes what it wrote. */
  async close(): Promise<void> {
    await this.client.close()
    await this.processes.close()
  }

  /** Before that, a namespace takes no pods. */
  async #hasServiceAccounts(): Promise<void> {
    await this.processes.waitFor('kube-controller-manager', async () => {
      return (await this.client.find('/api/v1/namespaces/default/serviceaccounts/default')) !== undefined
    })
  }
}

async function ownFiles(
  authority: CertificateAuthority,
  url: string,
  admin: CertificatePair,
  names: readonly string[]
): Promise<Record<string, string>> {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', serviceAddress]
  const own = await authority.server(['localhost', '127.0.0.1', ...service, ...new Set(names)])
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    'ca.crt': authority.cert,
    'tls.crt': own.cert,
    'tls.key': own.key,
    'service-account.key': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    kubeconfig: kubeconfigOf(url, authority, admin)
  }
}

/** JSON is YAML. */
function kubeconfigOf(url: string, authority: CertificateAuthority, admin: CertificatePair): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const user = { 'client-certificate-data': base64(admin.cert), 'client-key-data': base64(admin.key) }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(authority.cert) } }],
    users: [{ name: 'admin', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test'
  })
}

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`)
}

function etcdFlags(port: number, peerPort: number): Record<string, string> {
  const url = `http://127.0.0.1:${port}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  return {
    'data-dir': 'etcd',
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    // Nothing here outlives the process, let alone the machine.
    'unsafe-no-fsync': 'true',
    'log-level': 'warn'
  }
}

function apiServerFlags(
  bindAddress: string,
  port: number,
  etcdPort: number,
  serviceAccountAdmission: boolean
): Record<string, string> {
  return {
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': bindAddress,
    // Else it is looked for among the machine's routes, and there may be none.
    'advertise-address': bindAddress,
    // On loopback there can be no endpoints of the Service `kubernetes`.
    'endpoint-reconciler-type': bindAddress.startsWith('127.') ? 'none' : 'master-count',
    'secure-port': String(port),
    'tls-cert-file': 'tls.crt',
    'tls-private-key-file': 'tls.key',
    'client-ca-file': 'ca.crt',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': 'service-account.key',
    'service-account-signing-key-file': 'service-account.key',
    'service-cluster-ip-range': '10.0.0.0/24',
    'authorization-mode': 'RBAC',
    'allow-privileged': 'true',
    'cert-dir': 'certificates',
    ...(serviceAccountAdmission ? {} : { 'disable-admission-plugins': 'ServiceAccount' })
  }
}

function controllerManagerFlags(controllers: readonly string[]): Record<string, string> {
  return {
    kubeconfig: 'kubeconfig',
    'service-account-private-key-file': 'service-account.key',
    'root-ca-file': 'ca.crt',
    'leader-elect': 'false',
    // Nobody asks it anything.
    'secure-port': '0',
    controllers: controllers.join(','),
    // The usual 20 requests a second are for clusters that have more to do.
    'kube-api-qps': '1000',
    'kube-api-burst': '1000'
  }
}
