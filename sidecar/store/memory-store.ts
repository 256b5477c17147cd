import { sizeOf } from './size.ts'
import type { AcceptedEvent, AppendOutcome, EventStore, StoredEvent } from './store.ts'

interface Node extends StoredEvent {
  previous: Node | undefined
  next: Node | undefined
}

/** Durability `memory`: a queue with a bound in bytes. What is pending survives a Kafka outage and nothing else. */
export class MemoryStore implements EventStore {
  readonly limitBytes: number
  onAvailable: () => void = () => {}
  #sequence = 0
  #pendingEvents = 0
  #pendingBytes = 0
  // Linked, because events are released in the order of delivery reports, and the oldest must be found at any time.
  #oldest: Node | undefined
  #newest: Node | undefined
  #nextToTake: Node | undefined

  /** @param limitBytes bound on the sum of {@link StoredEvent.bytes} */
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get pendingEvents(): number {
    return this.#pendingEvents
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void {
    const sizes = events.map(({ event }) => sizeOf(event))
    const sum = sizes.reduce((total, bytes) => total + bytes, 0)
    // An event larger than the bound still goes into an empty queue: MAX_EVENT_BYTES is what refuses it, with a reason.
    if (this.#pendingBytes + sum > this.limitBytes && this.#pendingEvents > 0) return done('full')
    const wasEmpty = this.#nextToTake === undefined
    events.forEach((accepted, index) => this.#push(accepted, sizes[index] ?? 0))
    done('stored')
    if (wasEmpty && this.#nextToTake !== undefined) this.onAvailable()
  }

  take(): StoredEvent | undefined {
    const node = this.#nextToTake
    this.#nextToTake = node?.next
    return node
  }

  release(event: StoredEvent): void {
    const node = event as Node
    if (node.previous === undefined) this.#oldest = node.next
    else node.previous.next = node.next
    if (node.next === undefined) this.#newest = node.previous
    else node.next.previous = node.previous
    // A released node that still points at its neighbours keeps them, once it is in V8's old space.
    node.previous = node.next = undefined
    this.#pendingEvents--
    this.#pendingBytes -= node.bytes
  }

  oldestReceivedAt(): number | undefined {
    return this.#oldest?.receivedAt
  }

  #push({ event, topic, receivedAt }: AcceptedEvent, bytes: number): void {
    const previous = this.#newest
    const node: Node = { event, topic, receivedAt, sequence: this.#sequence++, bytes, previous, next: undefined }
    if (previous === undefined) this.#oldest = node
    else previous.next = node
    this.#newest = node
    this.#nextToTake ??= node
    this.#pendingEvents++
    this.#pendingBytes += bytes
  }
}
