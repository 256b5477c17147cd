import { DiskIndex, type DiskPlace } from './disk-index.ts'
import { Fifo } from './fifo.ts'
import type { PendingEvent } from './pending-event.ts'
import type { TopicQueue } from './store.ts'

/** What a queue asks of its store. */
export interface QueueOwner {
  /** Old segments are still being read: what they hold comes before everything newer. */
  readonly isRecovering: boolean
  /** Sets off reading the queue's next events. */
  fill(queue: JournalQueue): void
  /** An event is in other hands. */
  taken(event: PendingEvent): void
}

/** Events in memory below which more are read. */
const LOW = 64

/**
 * The events of one topic that were not taken, in four parts, oldest first: read into memory; on disk since an earlier
 * run; on disk because memory was full; in memory only, because the journal fails.
 */
export class JournalQueue implements TopicQueue {
  readonly topic: string
  readonly #owner: QueueOwner
  readonly memory = new Fifo<PendingEvent>()
  /** Of `memory`. */
  memoryBytes = 0
  readonly recovered = new DiskIndex()
  readonly disk = new DiskIndex()
  readonly tail = new Fifo<PendingEvent>()
  /** A read is under way. */
  reading = false
  /** Reads of the next event that failed in a row. */
  failedReads = 0

  constructor(topic: string, owner: QueueOwner) {
    this.topic = topic
    this.#owner = owner
  }

  get waiting(): number {
    return this.memory.length + this.recovered.length + this.disk.length + this.tail.length
  }

  /** Whether something is on disk only. */
  get hasDisk(): boolean {
    return this.recovered.length > 0 || this.disk.length > 0
  }

  /** Where the next events are that are not in memory; undefined when there are none, or it is not known yet. */
  get source(): DiskIndex | undefined {
    if (this.recovered.length > 0) return this.recovered
    if (this.#owner.isRecovering || this.disk.length === 0) return undefined
    return this.disk
  }

  peek(): PendingEvent | undefined {
    const next = this.memory.peek()
    if (next !== undefined) return next
    if (this.source !== undefined) {
      this.#owner.fill(this)
      // A read may be answered at once.
      return this.memory.peek()
    }
    return this.#owner.isRecovering ? undefined : this.tail.peek()
  }

  take(): void {
    const event = this.memory.shift()
    if (event === undefined) {
      const last = this.tail.shift()
      if (last !== undefined) this.#owner.taken(last)
      return
    }
    this.memoryBytes -= event.bytes
    this.#owner.taken(event)
    if (this.memory.length < LOW && this.source !== undefined) this.#owner.fill(this)
  }

  push(event: PendingEvent): void {
    if (this.hasDisk || this.#owner.isRecovering || this.tail.length > 0) return this.tail.push(event)
    this.memory.push(event)
    this.memoryBytes += event.bytes
  }

  /** The next event on disk cannot be read now: it is tried again after those that wait there. */
  postpone(): void {
    const index = this.source
    const place = index?.peek()
    if (index === undefined || place === undefined) return
    const receivedAt = index.oldestReceivedAt ?? 0
    index.shift()
    index.push(place.segmentId, place.offset, place.size, receivedAt)
  }

  /** An event came from the disk; its place was taken from the index. */
  readBack(event: PendingEvent): void {
    this.memory.push(event)
    this.memoryBytes += event.bytes
  }

  /**
   * Takes out the events of a segment, provided that nothing older is left.
   * @param segmentIds the segment's numbers
   */
  drop(segmentIds: ReadonlySet<number>): { events: PendingEvent[]; places: DiskPlace[] } {
    const events: PendingEvent[] = []
    const places: DiskPlace[] = []
    for (let next = this.memory.peek(); next?.segment && segmentIds.has(next.segment.id); next = this.memory.peek()) {
      this.memory.shift()
      this.memoryBytes -= next.bytes
      events.push(next)
    }
    if (this.memory.length > 0) return { events, places }
    for (const index of [this.recovered, this.disk]) {
      for (let next = index.peek(); next !== undefined && segmentIds.has(next.segmentId); next = index.peek()) {
        index.shift()
        places.push(next)
      }
    }
    if (this.hasDisk) return { events, places }
    for (let next = this.tail.peek(); next?.segment && segmentIds.has(next.segment.id); next = this.tail.peek()) {
      this.tail.shift()
      events.push(next)
    }
    return { events, places }
  }
}
