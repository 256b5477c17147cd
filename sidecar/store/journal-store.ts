import { JournalInUseError } from '../journal/errors.ts'
import { Journal, type JournalOptions } from '../journal/journal.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { DiskReader, type ReaderOwner } from './disk-reader.ts'
import { Healing, type HealingOwner } from './healing.ts'
import { JournalQueue, type QueueOwner } from './journal-queue.ts'
import type { WhenFull } from './memory-store.ts'
import { PendingEvent } from './pending-event.ts'
import { PendingList } from './pending-list.ts'
import type { AcceptedEvent, AppendOutcome, EventStore, StoreDropReason, StoredEvent, TopicQueue } from './store.ts'

/** What a store on a journal is made with. */
export interface JournalStoreOptions {
  readonly journal: JournalOptions
  /** Bound of what waits in memory; while the journal fails, of everything that is accepted, in bytes. */
  readonly memoryMaxBytes: number
  readonly whenFull: WhenFull
  readonly whenJournalFails: 'memory' | 'reject'
  /** Durability `kafka`: how long a reply waits for Kafka, ms. undefined: it does not. */
  readonly ackTimeoutMs: number | undefined
}

/** The journal's state, for metrics and `/status`. */
export interface JournalState {
  readonly bytes: number
  readonly limitBytes: number
  readonly segments: number
  readonly failing: boolean
  readonly longestCommitSeconds: number
}

/** Most of memory's bound that is used for reading ahead: enough for seconds of delivery, and reading is cheap. */
const READ_AHEAD_BYTES = 1024 * 1024

/**
 * Durabilities `journal`, `fsync` and `kafka`: what is pending is on disk, and as much of it in memory as delivery is
 * about to need. While the disk does not work, events are kept in memory, or refused.
 */
export class JournalStore implements EventStore, QueueOwner, ReaderOwner, HealingOwner {
  readonly limitBytes: number
  onAccepted: (events: readonly AcceptedEvent[]) => void = () => {}
  onAvailable: () => void = () => {}
  onDropped: (reason: StoreDropReason, events: number) => void = () => {}
  readonly #o: JournalStoreOptions
  #journal: Journal | undefined
  readonly #queues = new Map<string, JournalQueue>()
  /** What is in memory, taken or not. */
  readonly #inMemory = new PendingList<PendingEvent>()
  readonly #reader: DiskReader
  readonly #healing: Healing
  readonly #acknowledgements: Acknowledgements | undefined
  readonly #readAheadBytes: number
  #pendingEvents = 0
  #pendingBytes = 0
  /** Of events in memory that were not taken. */
  #waitingBytes = 0
  #recovering = false
  /** Numbers for events while there is no journal to give them. */
  #sequence = 1

  /**
   * Opens the journal. One that cannot be opened now is tried again and again.
   * @throws {JournalInUseError} when another process owns the directory
   */
  constructor(options: JournalStoreOptions) {
    this.#o = options
    this.limitBytes = options.memoryMaxBytes
    this.#reader = new DiskReader(this, options.journal.observer)
    this.#healing = new Healing(this, options.journal.observer)
    this.#readAheadBytes = Math.min(options.memoryMaxBytes, READ_AHEAD_BYTES)
    this.#acknowledgements =
      options.ackTimeoutMs === undefined ? undefined : new Acknowledgements(options.ackTimeoutMs, options.journal.now)
    try {
      this.open()
    } catch (error) {
      if (error instanceof JournalInUseError) throw error
      this.#healing.fail(error as Error, 'open')
    }
  }

  get pendingEvents(): number {
    return this.#pendingEvents
  }

  get volatileEvents(): number {
    let events = 0
    for (const _event of this.memoryOnly()) events++
    return events
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isRecovering(): boolean {
    return this.#recovering
  }

  /** The journal's state at this moment. */
  get journal(): JournalState {
    return {
      bytes: this.#journal?.bytes ?? 0,
      limitBytes: this.#o.journal.maxBytes,
      segments: this.#journal?.segments ?? 0,
      failing: this.#healing.isFailing,
      longestCommitSeconds: this.#journal?.longestCommitSeconds ?? 0
    }
  }

  queues(): Iterable<TopicQueue> {
    return this.#queues.values()
  }

  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void {
    if (events.length === 0) return done('stored')
    const journal = this.#journal
    if (journal === undefined || this.#healing.isFailing) return this.#appendToMemory(this.#pending(events), done)
    // A disk that hangs fails nothing, and memory must not be what fills up then.
    if (journal.waitingBytes > this.limitBytes || !this.hasRoom(journal, events)) return done('full')
    const pending = this.#pending(events)
    journal.append(pending, error => {
      if (error !== undefined) {
        this.#healing.fail(error, 'write')
        return this.#appendToMemory(pending, done)
      }
      this.#pendingEvents += pending.length
      this.onAccepted(pending)
      this.#answer(pending, done)
      this.#admit(pending)
    })
  }

  release(event: StoredEvent): void {
    const pending = event as PendingEvent
    this.#pendingEvents--
    this.#forget(pending)
    pending.released = true
    this.#journal?.release(pending)
    if (pending.acknowledgement !== undefined) this.#acknowledgements?.released(pending.acknowledgement)
  }

  taken({ bytes }: PendingEvent): void {
    this.#waitingBytes -= bytes
  }

  fill(queue: JournalQueue): void {
    this.#reader.fill(queue)
  }

  get openJournal(): Journal | undefined {
    return this.#journal
  }

  get hasReadAhead(): boolean {
    return this.#waitingBytes < this.#readAheadBytes
  }

  /** For the reader and for new events: the event is in memory, and not taken. */
  keep(event: PendingEvent): void {
    this.#inMemory.add(event)
    this.#pendingBytes += event.bytes
    this.#waitingBytes += event.bytes
  }

  unreadable(): void {
    this.#pendingEvents--
    this.onDropped('journal_unreadable', 1)
  }

  available(): void {
    this.onAvailable()
  }

  oldestReceivedAt(): number | undefined {
    let oldest = Infinity
    for (let node = this.#inMemory.oldest; node !== undefined; node = node.next as PendingEvent | undefined) {
      oldest = Math.min(oldest, node.receivedAt)
    }
    for (const { recovered, disk } of this.#queues.values()) {
      oldest = Math.min(oldest, recovered.oldestReceivedAt ?? Infinity, disk.oldestReceivedAt ?? Infinity)
    }
    return oldest === Infinity ? undefined : oldest
  }

  async close(): Promise<void> {
    this.#healing.stop()
    this.#reader.stop()
    this.#acknowledgements?.stop()
    await this.#journal?.close()
  }

  open(): Journal {
    const journal = Journal.open(this.#o.journal)
    this.#journal = journal
    this.#recovering = true
    // Events that were accepted before there was a journal come after those in it.
    for (const event of this.memoryOnly()) event.sequence = journal.nextSequence()
    void journal
      .recover(({ segment, offset, size, topic, receivedAt }) => {
        this.#pendingEvents++
        this.#queueOf(topic).recovered.push(segment.id, offset, size, receivedAt)
      })
      .catch((error: unknown) => this.#o.journal.observer.failed(error as Error, 'recovery'))
      .finally(() => {
        this.#recovering = false
        this.onAvailable()
      })
    return journal
  }

  *memoryOnly(): Iterable<PendingEvent> {
    for (let node = this.#inMemory.oldest; node !== undefined; node = node.next as PendingEvent | undefined) {
      if (node.segment === undefined) yield node
    }
  }

  hasRoom(journal: Journal, events: readonly AcceptedEvent[]): boolean {
    return journal.hasRoom(events) || (this.#o.whenFull === 'drop-oldest' && this.#makeRoom(journal, events))
  }

  healed(): void {
    for (const queue of this.#queues.values()) {
      for (let event = queue.tail.shift(); event !== undefined; event = queue.tail.shift()) {
        this.taken(event)
        this.#forget(event)
        if (event.segment !== undefined) {
          queue.disk.push(event.segment.id, event.offset, event.size, event.receivedAt)
        }
      }
    }
    this.onAvailable()
  }

  #pending(events: readonly AcceptedEvent[]): PendingEvent[] {
    return events.map(accepted => new PendingEvent(accepted, this.#journal?.nextSequence() ?? this.#sequence++, false))
  }

  /** The events are as safe as the journal makes them: tells the sender, or has it wait for Kafka. */
  #answer(events: readonly PendingEvent[], done: (outcome: AppendOutcome) => void): void {
    if (this.#acknowledgements === undefined) return done('stored')
    const acknowledgement = this.#acknowledgements.wait(
      events.length,
      secured => this.#secure(events, secured),
      () => done('stored')
    )
    for (const event of events) event.acknowledgement = acknowledgement
  }

  #secure(events: readonly PendingEvent[], done: () => void): void {
    const journal = this.#journal
    const segments = new Set(events.flatMap(({ segment }) => segment ?? []))
    if (segments.size === 0 || journal === undefined) return done()
    let waiting = segments.size
    for (const segment of segments) {
      journal.sync(segment, error => {
        if (error) {
          this.#healing.fail(error, 'fdatasync')
          // Neither a 200, which is not true, nor a 503, since they may arrive: only Kafka can answer for them now.
          if (this.#o.whenJournalFails === 'reject') return
        }
        if (--waiting === 0) done()
      })
    }
  }

  /** Decides for events in the journal whether they stay in memory. */
  #admit(events: readonly PendingEvent[]): void {
    let available = false
    for (const event of events) {
      const queue = this.#queueOf(event.topic)
      available ||= queue.waiting === 0
      if (this.#staysInMemory(queue, event.bytes)) {
        this.keep(event)
        queue.push(event)
      } else if (event.segment !== undefined) {
        queue.disk.push(event.segment.id, event.offset, event.size, event.receivedAt)
      }
    }
    if (available) this.onAvailable()
  }

  /**
   * A topic may hold as much of memory as is still free for others, and one event in any case: so one that is stuck
   * leaves room, and so do several.
   */
  #staysInMemory(queue: JournalQueue, bytes: number): boolean {
    if (queue.hasDisk || queue.tail.length > 0 || this.#recovering) return false
    if (queue.memory.length === 0) return true
    return queue.memoryBytes + bytes <= this.#readAheadBytes - this.#waitingBytes
  }

  /** The event is in memory no more. */
  #forget(event: PendingEvent): void {
    this.#inMemory.remove(event)
    this.#pendingBytes -= event.bytes
  }

  #appendToMemory(events: readonly PendingEvent[], done: (outcome: AppendOutcome) => void): void {
    if (this.#o.whenJournalFails === 'reject') return done('failed')
    const bytes = events.reduce((sum, event) => sum + event.bytes, 0)
    if (this.#pendingBytes + bytes > this.limitBytes && this.#pendingBytes > 0) return done('full')
    this.#pendingEvents += events.length
    this.onAccepted(events)
    for (const event of events) {
      this.keep(event)
      this.#queueOf(event.topic).push(event)
    }
    this.#o.journal.observer.bypassed(events.length)
    this.#answer(events, done)
    this.onAvailable()
  }

  #queueOf(topic: string): JournalQueue {
    let queue = this.#queues.get(topic)
    if (queue === undefined) {
      queue = new JournalQueue(topic, this)
      this.#queues.set(topic, queue)
    }
    return queue
  }

  /**
   * Gives up the oldest events that wait until others fit; none, if they never do. What delivery has taken stays in the
   * journal: it may be in Kafka already, and is not counted as given up.
   */
  #makeRoom(journal: Journal, events: readonly AcceptedEvent[]): boolean {
    if (!journal.canHold(events)) return false
    let given = 0
    for (const segment of [...journal.givable]) {
      if (journal.hasRoom(events)) break
      const ids = journal.giveUp(segment)
      if (ids === undefined) break
      for (const queue of this.#queues.values()) given += this.#giveUp(journal, queue, ids)
    }
    this.#pendingEvents -= given
    if (given > 0) this.onDropped('queue_full', given)
    return journal.hasRoom(events)
  }

  /** @returns how many of the queue's events were in the segment */
  #giveUp(journal: Journal, queue: JournalQueue, segmentIds: ReadonlySet<number>): number {
    const { events, places } = queue.drop(segmentIds)
    for (const event of events) {
      this.taken(event)
      this.#forget(event)
      journal.release(event)
      if (event.acknowledgement !== undefined) this.#acknowledgements?.givenUp(event.acknowledgement)
    }
    for (const { segmentId, offset, size } of places) {
      const place = journal.locate(segmentId, offset)
      if (place !== undefined) journal.releaseAt(place, size)
    }
    return events.length + places.length
  }
}
