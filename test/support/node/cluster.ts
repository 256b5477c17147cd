import { randomBytes } from 'node:crypto'
import { CertificateAuthority } from '../certificates.ts'
import { KafkaCluster } from '../kafka/index.ts'
import { createNamespace, injectionLabel } from '../kubernetes/namespaces.ts'
import { inferenceLoggerConfiguration, onlyNamespace } from '../kubernetes/webhooks.ts'
import { WebhookProcess } from '../kubernetes/webhook-process.ts'
import { cutOff, reconnect } from './bridge.ts'
import { nodeAddress } from './config.ts'
import { images } from './images.ts'
import { TestNode } from './node.ts'
import { eventKey } from './answers.ts'
import { Predictor } from './predictor.ts'
import type { PredictorOptions } from './predictor-pod.ts'

/** An event as it is in Kafka: its extensions by the names of their headers. */
export type Arrived = Partial<Record<string, string>>

const headers = ['ce_id', 'ce_type', 'ce_inferenceservicename', 'ce_namespace', 'ce_component', 'ce_pod', 'ce_node']

/** A node, a real Kafka that its pods reach, the webhook, and a namespace with the label and Pod Security's `restricted`. */
export class NodeCluster {
  readonly node: TestNode
  readonly kafka: KafkaCluster
  readonly webhook: WebhookProcess
  /** Where predictors are. */
  readonly namespace = 'models'

  private constructor(node: TestNode, kafka: KafkaCluster, webhook: WebhookProcess) {
    this.node = node
    this.kafka = kafka
    this.webhook = webhook
  }

  static async start(signal: AbortSignal): Promise<NodeCluster> {
    const closing: (() => Promise<void>)[] = []
    try {
      const node = await TestNode.start(signal)
      closing.unshift(() => node.close())
      const kafka = await KafkaCluster.start({ host: nodeAddress })
      closing.unshift(() => kafka.close())
      const authority = await CertificateAuthority.create('webhook')
      const webhook = await WebhookProcess.start({
        certificate: await authority.server(),
        settings: {
          image: images.project,
          kafka: { brokers: kafka.bootstrap },
          annotations: { allow: ['brokers', 'image'] }
        }
      })
      closing.unshift(() => webhook.close())
      const cluster = new NodeCluster(node, kafka, webhook)
      await cluster.#prepare(authority.cert)
      return cluster
    } catch (error) {
      for (const close of closing) await close()
      throw error
    }
  }

  /** A predictor with a name of its own, and so with a topic of its own. */
  predictor(purpose: string, options: Omit<PredictorOptions, 'name' | 'namespace'> = {}): Promise<Predictor> {
    const name = `${purpose}-${randomBytes(2).toString('hex')}`
    return Predictor.create(this.node.plane.client, { name, namespace: this.namespace, ...options })
  }

  /** From now on Kafka refuses this predictor's pod, until {@link kafkaIsBackFor}. */
  kafkaIsAwayFor({ address }: Predictor): Promise<void> {
    return cutOff(address, this.#kafkaPort)
  }

  kafkaIsBackFor({ address }: Predictor): Promise<void> {
    return reconnect(address, this.#kafkaPort)
  }

  /** What `kubectl` prints, with the models' namespace as its own. */
  async kubectl(...args: string[]): Promise<string> {
    return (await this.node.plane.kubectl(['--namespace', this.namespace, ...args])).stdout
  }

  /** Events of a predictor that are in Kafka, by their key; those that came twice are there once. */
  async arrived({ topic }: Predictor): Promise<Map<string, Arrived>> {
    const records = await this.kafka.fingerprint([topic], { verbatim: headers })
    return new Map(
      records.map(({ verbatim }) => {
        const type = verbatim['ce_type']?.split('.').at(-1) ?? ''
        return [eventKey(verbatim['ce_id'] ?? '', type), verbatim]
      })
    )
  }

  /** Keys of events that had been answered 200 and are not in Kafka. */
  async missing(predictor: Predictor): Promise<string[]> {
    const acknowledged = [...predictor.answers.acknowledged]
    const arrived = await this.arrived(predictor)
    return acknowledged.filter(key => !arrived.has(key))
  }

  async close(): Promise<void> {
    await this.node.close()
    await this.webhook.close()
    await this.kafka.close()
  }

  get #kafkaPort(): number {
    return Number(this.kafka.bootstrap.split(':').at(-1))
  }

  async #prepare(ca: string): Promise<void> {
    const { client } = this.node.plane
    await createNamespace(client, this.namespace, {
      ...injectionLabel,
      'pod-security.kubernetes.io/enforce': 'restricted'
    })
    // Fail: a pod that the webhook did not see is no pod of these tests. Its namespace: the chart brings a webhook of its own.
    const fields = { failurePolicy: 'Fail', namespaceSelector: onlyNamespace(this.namespace) }
    const registration = { name: 'node-tests', url: this.webhook.url, ca, fields }
    await client.create(inferenceLoggerConfiguration(registration))
  }
}
