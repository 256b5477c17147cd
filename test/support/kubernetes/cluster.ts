import type { MutatingWebhook } from 'kubernetes-types/admissionregistration/v1.js'
import { CertificateAuthority } from '../certificates.ts'
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts'
import { addAgent, podOf } from './kserve.ts'
import { createNamespace } from './namespaces.ts'
import { eventually } from './wait.ts'
import { WebhookProcess, type WebhookProcessOptions } from './webhook-process.ts'
import { configurationOf, inferenceLoggerConfiguration, StandInWebhook } from './webhooks.ts'

/** What a cluster with KServe and the inference logger is like. */
export interface KServeClusterOptions {
  controlPlane?: ControlPlaneOptions
  /** How the webhook is started; undefined fields: the usual. */
  webhook?: (plane: ControlPlane) => Promise<Omit<WebhookProcessOptions, 'certificate'>>
  /** Over the recommended fields of the webhook's configuration. */
  fields?: Partial<MutatingWebhook>
  /** The `namespaceSelector` of the stand-in for KServe's webhook. */
  kserveNamespaces?: NonNullable<MutatingWebhook['namespaceSelector']>
}

/**
 * A control plane with the real webhook, registered as recommended, and a stand-in for KServe's webhook, which adds the
 * agent and sorts before it.
 */
export class KServeCluster {
  readonly plane: ControlPlane
  readonly webhook: WebhookProcess
  /** Signs the certificates of webhooks. */
  readonly authority: CertificateAuthority
  readonly kserve: StandInWebhook

  private constructor(
    plane: ControlPlane,
    webhook: WebhookProcess,
    authority: CertificateAuthority,
    kserve: StandInWebhook
  ) {
    this.plane = plane
    this.webhook = webhook
    this.authority = authority
    this.kserve = kserve
  }

  /** Ready when the API server asks both webhooks. Nothing is left when it rejects. */
  static async start(options: KServeClusterOptions = {}): Promise<KServeCluster> {
    const started: { close(): Promise<void> }[] = []
    const keep = <T extends { close(): Promise<void> }>(each: T): T => {
      started.unshift(each)
      return each
    }
    try {
      const plane = keep(await ControlPlane.start(options.controlPlane))
      const authority = await CertificateAuthority.create('webhooks')
      const kserve = keep(await StandInWebhook.start(authority, addAgent))
      const certificate = await authority.server()
      const webhook = keep(await WebhookProcess.start({ ...(await options.webhook?.(plane)), certificate }))
      const cluster = new KServeCluster(plane, webhook, authority, kserve)
      await cluster.#register(options)
      return cluster
    } catch (error) {
      for (const each of started) await each.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.webhook.close()
    await this.kserve.close()
    await this.plane.close()
  }

  /** Registers a webhook and waits until `works` says that the API server asks it, which it learns within a second. */
  async register(configuration: ReturnType<typeof configurationOf>, works: () => Promise<boolean>): Promise<void> {
    await this.plane.client.create(configuration)
    await eventually(`the webhook ${configuration.metadata?.name} is asked`, works)
  }

  async #register({ fields = {}, kserveNamespaces }: KServeClusterOptions): Promise<void> {
    const { client } = this.plane
    const ca = this.authority.cert
    const kserve = {
      objectSelector: { matchExpressions: [{ key: 'serving.kserve.io/inferenceservice', operator: 'Exists' }] },
      reinvocationPolicy: 'IfNeeded',
      ...(kserveNamespaces === undefined ? {} : { namespaceSelector: kserveNamespaces })
    }
    await client.create(
      configurationOf({ name: 'inferenceservice.serving.kserve.io', url: this.kserve.url, ca, fields: kserve })
    )
    await client.create(inferenceLoggerConfiguration({ url: this.webhook.url, ca, fields }))
    const namespace = await createNamespace(client, 'is-it-registered')
    const pod = podOf('logger-localhost', { namespace })
    pod.spec.containers = pod.spec.containers.filter(({ name }) => name !== 'agent')
    await eventually('both webhooks are asked', async () => {
      const { spec } = await client.create(pod, { dryRun: true })
      const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name)
      return names.includes('agent') && names.includes('inference-logger')
    })
  }
}
