import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations
} from 'kubernetes-types/admissionregistration/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { createPatch } from 'rfc6902'
import type { CertificateAuthority, CertificatePair } from '../certificates.ts'

/** Of a webhook of this machine. */
export interface Registration {
  /** The configuration's: the API server calls them in the order of their names. */
  name: string
  /** `https://localhost:<port>/…` */
  url: string
  /** Who signed its certificate, PEM. */
  ca: string
  /** Over the usual fields. */
  fields?: Partial<MutatingWebhook>
}

/** Namespaces that Kubernetes has for itself. */
const systemNamespaces = ['kube-system', 'kube-public', 'kube-node-lease']

/** The configuration that the documentation recommends for `inference-logger webhook`. */
export function inferenceLoggerConfiguration(
  registration: Omit<Registration, 'name'> & { name?: string }
): MutatingWebhookConfiguration {
  return configurationOf({
    name: 'kserve-inference-logger',
    ...registration,
    fields: {
      reinvocationPolicy: 'IfNeeded',
      failurePolicy: 'Ignore',
      timeoutSeconds: 5,
      matchPolicy: 'Equivalent',
      sideEffects: 'NoneOnDryRun',
      namespaceSelector: {
        matchExpressions: [
          { key: 'inference-logger.io/injection', operator: 'In', values: ['enabled'] },
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: systemNamespaces }
        ]
      },
      objectSelector: { matchExpressions: [{ key: 'serving.kserve.io/inferenceservice', operator: 'Exists' }] },
      ...registration.fields
    }
  })
}

// kubernetes-types has only what the type adds to another.
const createPods: RuleWithOperations & { resources: string[]; scope: string } = {
  apiGroups: [''],
  apiVersions: ['v1'],
  operations: ['CREATE'],
  resources: ['pods'],
  scope: 'Namespaced'
}

/** A configuration for creation of pods with one webhook, which fails rather than be left out. */
export function configurationOf({ name, url, ca, fields = {} }: Registration): MutatingWebhookConfiguration {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: `${name}.inference-logger.io`,
        clientConfig: { url, caBundle: Buffer.from(ca).toString('base64') },
        rules: [createPods],
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        ...fields
      }
    ]
  }
}

/** A `namespaceSelector` for one namespace. */
export function onlyNamespace(name: string): NonNullable<MutatingWebhook['namespaceSelector']> {
  return { matchLabels: { 'kubernetes.io/metadata.name': name } }
}

// Longer than the API server keeps a connection that it does not use. With Node's 5 s both would end it at about the same
// time, and an admission now and then would meet its end.
const keepAliveMs = 120_000

interface Review {
  request: { uid: string; object: Pod; dryRun?: boolean }
}

/** Somebody else's mutating webhook: KServe's, a mesh's. In this process, with real TLS. */
export class StandInWebhook {
  /** Pods as they came, in order. */
  readonly seen: Pod[] = []
  /** Makes another pod of one; the same object means that nothing changes. */
  mutate: (pod: Pod) => Pod
  readonly #server: Server
  #url = ''

  private constructor(certificate: CertificatePair, mutate: (pod: Pod) => Pod) {
    this.mutate = mutate
    this.#server = createServer(
      { ...certificate, keepAliveTimeout: keepAliveMs, headersTimeout: 2 * keepAliveMs },
      (request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          const { uid, object } = (JSON.parse(Buffer.concat(chunks).toString()) as Review).request
          this.seen.push(object)
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify(answer(uid, object, this.mutate(object))))
        })
      }
    )
  }

  static async start(authority: CertificateAuthority, mutate: (pod: Pod) => Pod): Promise<StandInWebhook> {
    const webhook = new StandInWebhook(await authority.server(), mutate)
    webhook.#server.listen(0, '127.0.0.1')
    await once(webhook.#server, 'listening')
    webhook.#url = `https://localhost:${(webhook.#server.address() as AddressInfo).port}/mutate`
    return webhook
  }

  /** For `clientConfig.url`. */
  get url(): string {
    return this.#url
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

function answer(uid: string, before: Pod, after: Pod): object {
  const operations = createPatch(before, after)
  const patch =
    operations.length === 0
      ? {}
      : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
  const response = { uid, allowed: true, ...patch }
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }
}
