import { Fifo } from './fifo.ts'
import { PendingList, type PendingNode } from './pending-list.ts'
import { sizeOf } from './size.ts'
import type { AcceptedEvent, AppendOutcome, EventStore, StoreDropReason, StoredEvent, TopicQueue } from './store.ts'

/** INFERENCE_LOGGER_WHEN_FULL: refuse what comes, or give up the oldest events that wait. */
export type WhenFull = 'reject' | 'drop-oldest'

interface Node extends StoredEvent, PendingNode {}

/** The events of one topic that were not taken. */
class MemoryQueue implements TopicQueue {
  readonly topic: string
  readonly #store: MemoryStore
  readonly #events = new Fifo<Node>()

  constructor(topic: string, store: MemoryStore) {
    this.topic = topic
    this.#store = store
  }

  get waiting(): number {
    return this.#events.length
  }

  push(node: Node): void {
    this.#events.push(node)
  }

  peek(): Node | undefined {
    return this.#events.peek()
  }

  take(): void {
    const node = this.#events.shift()
    if (node !== undefined) this.#store.taken(node)
  }

  /** Takes the next event out, to be given up. */
  drop(): Node | undefined {
    return this.#events.shift()
  }
}

/** Durability `memory`: queues with a bound in bytes over all. What is pending survives a Kafka outage and nothing else. */
export class MemoryStore implements EventStore {
  readonly limitBytes: number
  onAccepted: (events: readonly AcceptedEvent[]) => void = () => {}
  onAvailable: () => void = () => {}
  onDropped: (reason: StoreDropReason, events: number) => void = () => {}
  readonly #whenFull: WhenFull
  readonly #queues = new Map<string, MemoryQueue>()
  readonly #pending = new PendingList<Node>()
  #sequence = 0
  #pendingEvents = 0
  #pendingBytes = 0
  /** Of what was taken and not released: it cannot be given up any more. */
  #takenEvents = 0
  #takenBytes = 0

  /** @param limitBytes bound on the sum of {@link StoredEvent.bytes} */
  constructor(limitBytes: number, whenFull: WhenFull = 'reject') {
    this.limitBytes = limitBytes
    this.#whenFull = whenFull
  }

  get pendingEvents(): number {
    return this.#pendingEvents
  }

  get volatileEvents(): number {
    return this.#pendingEvents
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void {
    const sizes = events.map(({ event }) => sizeOf(event))
    const sum = sizes.reduce((total, bytes) => total + bytes, 0)
    if (!this.#fits(sum) && !this.#makeRoom(sum)) return done('full')
    let available = false
    events.forEach((accepted, index) => {
      const queue = this.#queueOf(accepted.topic)
      available ||= queue.waiting === 0
      this.#push(queue, accepted, sizes[index] ?? 0)
    })
    this.onAccepted(events)
    done('stored')
    if (available) this.onAvailable()
  }

  queues(): Iterable<TopicQueue> {
    return this.#queues.values()
  }

  release(event: StoredEvent): void {
    this.#takenEvents--
    this.#takenBytes -= event.bytes
    this.#forget(event as Node)
  }

  oldestReceivedAt(): number | undefined {
    return this.#pending.oldest?.receivedAt
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** For the queues: the event is in other hands. */
  taken({ bytes }: StoredEvent): void {
    this.#takenEvents++
    this.#takenBytes += bytes
  }

  /** An event larger than the bound still goes into an empty queue: MAX_EVENT_BYTES is what refuses it, with a reason. */
  #fits(bytes: number): boolean {
    return this.#pendingBytes + bytes <= this.limitBytes || this.#pendingEvents === 0
  }

  /** Gives up the oldest events that wait, if that makes room for so many bytes; otherwise none. */
  #makeRoom(bytes: number): boolean {
    if (this.#whenFull === 'reject') return false
    if (this.#takenBytes + bytes > this.limitBytes && this.#takenEvents > 0) return false
    let dropped = 0
    while (!this.#fits(bytes)) {
      const node = this.#oldestQueue()?.drop()
      if (node === undefined) break
      this.#forget(node)
      dropped++
    }
    this.onDropped('queue_full', dropped)
    return true
  }

  /** The queue whose next event is older than the others'. */
  #oldestQueue(): MemoryQueue | undefined {
    let oldest: MemoryQueue | undefined
    let sequence = Infinity
    for (const queue of this.#queues.values()) {
      const next = queue.peek()
      if (next === undefined || next.sequence > sequence) continue
      oldest = queue
      sequence = next.sequence
    }
    return oldest
  }

  #queueOf(topic: string): MemoryQueue {
    let queue = this.#queues.get(topic)
    if (queue === undefined) {
      queue = new MemoryQueue(topic, this)
      this.#queues.set(topic, queue)
    }
    return queue
  }

  #push(queue: MemoryQueue, { event, topic, receivedAt }: AcceptedEvent, bytes: number): void {
    const node: Node = {
      event,
      topic,
      receivedAt,
      sequence: this.#sequence++,
      bytes,
      replayed: false,
      previous: undefined,
      next: undefined
    }
    this.#pending.add(node)
    queue.push(node)
    this.#pendingEvents++
    this.#pendingBytes += bytes
  }

  #forget(node: Node): void {
    this.#pending.remove(node)
    this.#pendingEvents--
    this.#pendingBytes -= node.bytes
  }
}
