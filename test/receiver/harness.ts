import type { TestContext } from 'node:test'
import type { ListenAddress } from '../../sidecar/config/addresses.ts'
import { createHandler, type ReceiverDependencies } from '../../sidecar/receiver/handler.ts'
import type { RejectReason } from '../../sidecar/receiver/replies.ts'
import { ReceiverServer } from '../../sidecar/receiver/server.ts'
import { boundedTopics } from '../../sidecar/receiver/topic-limit.ts'
import { parseTopicTemplate } from '../../sidecar/records/topic.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import type { EventStore, StoredEvent } from '../../sidecar/store/store.ts'
import { takeAll } from '../store/take-all.ts'
import { RawClient } from './raw-client.ts'

/** What a receiver under test is made of; everything has a default. */
export interface ReceiverOptions {
  readonly listen?: readonly ListenAddress[]
  readonly topic?: string
  readonly maxTopics?: number
  readonly maxEventBytes?: number
  readonly memoryMaxBytes?: number
  readonly maxConnections?: number
  readonly requestTimeout?: number
  readonly dependencies?: Partial<ReceiverDependencies>
}

/** A receiver on a port of its own, with a store that nobody empties and an account of what it told. */
export class TestReceiver {
  readonly store: EventStore
  readonly rejected: RejectReason[] = []
  readonly failures: unknown[] = []
  received = 0
  acknowledged = 0
  /** Where it listens, `host:port`. */
  addresses: readonly string[] = []
  readonly server: ReceiverServer
  readonly #test: TestContext

  constructor(test: TestContext, options: ReceiverOptions = {}) {
    this.#test = test
    this.store = new MemoryStore(options.memoryMaxBytes ?? 1024 * 1024)
    const handler = createHandler({
      store: this.store,
      observer: {
        received: () => void this.received++,
        acknowledged: () => void this.acknowledged++,
        rejected: reason => void this.rejected.push(reason),
        irregular: () => {},
        failed: error => void this.failures.push(error)
      },
      enrich: () => {},
      topicOf: boundedTopics(parseTopicTemplate(options.topic ?? 'events'), options.maxTopics ?? 100),
      headerDecoding: 'auto',
      maxEventBytes: options.maxEventBytes ?? 10_000,
      ...options.dependencies
    })
    const limits = {
      maxConnections: options.maxConnections ?? 100,
      requestTimeout: options.requestTimeout ?? 30_000
    }
    this.server = new ReceiverServer(
      options.listen ?? [{ host: '127.0.0.1', port: 0 }],
      limits,
      handler,
      reason => void this.rejected.push(reason)
    )
  }

  /** Starts one that is stopped when the test ends. */
  static async start(test: TestContext, options: ReceiverOptions = {}): Promise<TestReceiver> {
    const receiver = new TestReceiver(test, options)
    receiver.addresses = await receiver.server.start()
    test.after(() => receiver.server.stop(0))
    return receiver
  }

  /** Connects to it; closed when the test ends. */
  async connect(address = this.addresses[0] ?? '', allowHalfOpen = false): Promise<RawClient> {
    const client = await RawClient.open(address, allowHalfOpen)
    this.#test.after(() => client.close())
    return client
  }

  /** Everything stored and not looked at yet, in order. */
  taken(): StoredEvent[] {
    return takeAll(this.store)
  }

  /** The payloads of what is stored and was not looked at yet. */
  payloads(): string[] {
    return this.taken().map(({ event }) => event.data.toString())
  }
}
