import assert from 'node:assert/strict'
import { mock } from 'node:test'
import type { JournalObserver } from '../../../sidecar/journal/observer.ts'
import { JournalStore } from '../../../sidecar/store/journal-store.ts'
import type { AcceptedEvent, StoredEvent, TopicQueue } from '../../../sidecar/store/store.ts'
import { SimulatedDisk, type Choose } from '../../support/simulated-disk.ts'

/** What stays the same through all the lives of a store. */
export interface SceneOptions {
  readonly fsync: boolean
  readonly segmentBytes: number
  readonly maxBytes: number
  readonly memoryMaxBytes: number
  readonly whenFull: 'reject' | 'drop-oldest'
  readonly whenJournalFails: 'memory' | 'reject'
  readonly choose: Choose
}

/** What is known of an event that was issued. */
interface Issued {
  readonly topic: string
  readonly bytes: number
  answered: boolean
  /** Accepted in memory, because the journal failed, and not written to it since. */
  volatile: boolean
  /** Handed out and released at least once: it may come again after a crash, and need not. */
  released: boolean
}

const DIRECTORY = '/journal'

/**
 * A store on a simulated disk, beside the model that it is compared with: a list of the events that were answered and
 * not released. Each of them comes back, whatever happens, and nothing comes that was not issued.
 */
export class Scene {
  readonly disk: SimulatedDisk
  readonly #o: SceneOptions
  readonly #issued: Issued[] = []
  #store: JournalStore | undefined
  #clock = 0
  #runs = 0
  /** Faults change the order in which events are kept. */
  inOrder = true
  /** Of this life: accepted, found at the start, released, given up. */
  #accepted = 0
  #replayed = 0
  #released = 0
  #dropped = 0
  /** Given up in all lives. */
  #droppedEver = 0
  #taken: StoredEvent[] = []
  #lastTaken = new Map<string, number>()
  #takenEver = new Set<number>()
  /** Events that came a second time. */
  repeated = 0

  constructor(options: SceneOptions) {
    this.#o = options
    this.disk = new SimulatedDisk({ choose: options.choose })
    this.#open()
  }

  get store(): JournalStore {
    assert.ok(this.#store)
    return this.#store
  }

  /** Sends a request with some events; whether they are taken is up to the store. */
  append(count: number, topic: string, bytes: number): void {
    const first = this.#issued.length
    const events: AcceptedEvent[] = []
    for (let i = 0; i < count; i++) {
      this.#issued.push({ topic, bytes, answered: false, volatile: false, released: false })
      events.push({ event: { attributes: [], data: dataOf(first + i, bytes) }, topic, receivedAt: 1000 + first })
    }
    const store = this.store
    store.append(events, outcome => {
      // A process that is gone answers nobody.
      if (outcome !== 'stored' || store !== this.#store) return
      const isVolatile = store.journal.failing
      for (const one of this.#issued.slice(first, first + count)) {
        one.answered = true
        one.volatile = isVolatile
      }
    })
  }

  /** Lets the event loop turn, and so many asynchronous calls of the disk complete. */
  async turn(completions: number): Promise<void> {
    await new Promise(setImmediate)
    for (let i = 0; i < completions; i++) if (!this.disk.completeOne()) break
    await new Promise(setImmediate)
    this.assertConserved()
  }

  /** A second passes. */
  second(): void {
    this.#clock += 1000
    mock.timers.tick(1000)
  }

  /** Makes the following writes slow, until the clock has moved on: the store goes asynchronous. */
  slowDown(): void {
    this.#clock += 50
  }

  /** Delivery takes up to `count` events of a topic's queue. */
  take(topic: number, count: number): void {
    const queues = [...this.store.queues()]
    const queue = queues[topic % Math.max(1, queues.length)]
    for (let i = 0; queue !== undefined && i < count; i++) if (!this.#takeFrom(queue)) break
  }

  /** Kafka reports on some of what was taken, in any order. */
  release(count: number): void {
    for (let i = 0; i < count && this.#taken.length > 0; i++) {
      const [event] = this.#taken.splice(this.#o.choose(this.#taken.length), 1)
      if (event === undefined) return
      this.store.release(event)
      this.#released++
      const issued = this.#issued[numberOf(event)]
      if (issued) issued.released = true
    }
  }

  /** Ends the process, or the machine, and starts again. */
  crash(keep: 'cache' | 'synced'): void {
    const { store } = this
    this.disk.crash({ keep: this.#o.fsync ? keep : 'cache' })
    this.#store = undefined
    // So that what is left of it in this process comes to rest; the disk does not listen to it any more.
    void store.close()
    this.#abandon()
    for (const one of this.#issued) if (one.volatile) one.answered = false
    this.#open()
  }

  /** Ends in order, and starts again. */
  async restart(): Promise<void> {
    const store = this.store
    let closed = false
    const closing = store.close().then(() => (closed = true))
    for (let i = 0; !closed; i++) {
      assert.ok(i < 5000, 'closing ends')
      this.disk.completeOne()
      // It may wait for a read of the start that is tried again.
      if (i % 50 === 49) this.second()
      await new Promise(setImmediate)
    }
    await closing
    this.#store = undefined
    this.disk.settle()
    assert.deepEqual(this.disk.openFiles, [], 'everything is closed')
    for (const one of this.#issued) if (one.volatile) one.answered = false
    this.#abandon()
    this.#open()
  }

  /** Heals the disk, delivers everything, and compares. */
  async finish(): Promise<void> {
    this.disk.heal()
    this.disk.capacity = Infinity
    await this.#untilQuiet()
    // What could not be read while the disk failed is read by the next start.
    await this.restart()
    await this.#drain()
    const missing = this.#issued.flatMap(({ answered, released }, number) => (answered && !released ? [number] : []))
    assert.ok(
      missing.length <= this.#droppedEver,
      `answered and never delivered: ${missing.join()}, dropped: ${this.#droppedEver}`
    )
    assert.equal(this.store.pendingEvents, 0)
    assert.equal(this.store.pendingBytes, 0)
    this.second()
    await this.#untilQuiet()
    assert.deepEqual(this.#files('.journal'), [], 'an empty journal has no segments')
    assert.equal(this.store.journal.bytes, 0)
    await this.restart()
    await this.#untilQuiet()
    assert.deepEqual(this.#files(''), [], 'what else was left, the next start removes')
    assert.deepEqual(this.disk.violations, [])
    await this.store.close()
  }

  #files(suffix: string): string[] {
    return this.disk.files.filter(path => path.endsWith(suffix) && !path.includes('/quarantine/'))
  }

  /** accepted + replayed = released + given up + pending, at any moment. */
  assertConserved(): void {
    assert.equal(this.store.pendingEvents, this.#accepted + this.#replayed - this.#released - this.#dropped)
    assert.ok(this.store.pendingBytes >= 0)
  }

  #open(): void {
    this.#accepted = this.#replayed = this.#released = this.#dropped = 0
    this.#taken = []
    this.#lastTaken = new Map()
    this.#takenEver = new Set()
    const { fsync, segmentBytes, maxBytes, memoryMaxBytes, whenFull, whenJournalFails } = this.#o
    this.#runs++
    const store = new JournalStore({
      journal: {
        directory: DIRECTORY,
        maxBytes,
        segmentBytes,
        fsync,
        syncNames: fsync,
        fs: this.disk.mount(),
        lock: () => () => {},
        observer: this.#observer(),
        run: this.#runs.toString(16).padStart(16, '0'),
        now: () => this.#clock
      },
      memoryMaxBytes,
      whenFull,
      whenJournalFails,
      ackTimeoutMs: undefined
    })
    store.onAccepted = events => {
      if (store === this.#store) this.#accepted += events.length
    }
    store.onDropped = (_reason, events) => {
      if (store !== this.#store) return
      this.#dropped += events
      this.#droppedEver += events
    }
    this.#store = store
  }

  #observer(): JournalObserver {
    const run = this.#runs
    return {
      committed: () => {},
      synced: () => {},
      failed: () => {},
      healed: () => {
        if (run === this.#runs) for (const one of this.#issued) one.volatile = false
      },
      replayed: events => {
        if (run === this.#runs) this.#replayed += events
      },
      recovered: () => {},
      quarantined: () => {},
      bypassed: () => {}
    }
  }

  /** A process that was killed does nothing any more; its timers neither. */
  #abandon(): void {
    mock.timers.reset()
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  }

  #takeFrom(queue: TopicQueue): boolean {
    const event = queue.peek()
    if (event === undefined) return false
    queue.take()
    const number = numberOf(event)
    const issued = this.#issued[number]
    assert.ok(issued, `event ${number} was never issued`)
    assert.equal(event.topic, issued.topic)
    assert.equal(queue.topic, issued.topic)
    assert.ok(event.event.data.equals(dataOf(number, issued.bytes)), `event ${number} has its bytes`)
    const last = this.#lastTaken.get(queue.topic) ?? -1
    // A crash in the middle of a compaction leaves records in two segments: what comes again may come late.
    const again = issued.released || this.#takenEver.has(number)
    if (this.inOrder && !again) assert.ok(number > last, `event ${number} comes after ${last}`)
    this.#takenEver.add(number)
    this.#lastTaken.set(queue.topic, Math.max(last, number))
    if (issued.released) this.repeated++
    this.#taken.push(event)
    return true
  }

  async #drain(): Promise<void> {
    for (let quiet = 0; quiet < 6; quiet++) {
      for (const queue of this.store.queues()) while (this.#takeFrom(queue)) quiet = 0
      this.release(this.#taken.length)
      await this.#untilQuiet()
      if (this.store.pendingEvents > 0 && quiet > 2) this.second()
    }
  }

  async #untilQuiet(): Promise<void> {
    for (let i = 0; i < 6; i++) {
      await new Promise(setImmediate)
      for (let calls = 0; this.disk.completeOne(); calls++) {
        assert.ok(calls < 5000, 'the disk is asked again and again')
        await Promise.resolve()
      }
      if (i === 3) this.second()
    }
    this.assertConserved()
  }
}

function dataOf(number: number, bytes: number): Buffer {
  return Buffer.from(`${number}:`.padEnd(bytes, String.fromCharCode(97 + (number % 26))))
}

function numberOf({ event }: AcceptedEvent): number {
  return Number(event.data.toString('latin1', 0, event.data.indexOf(':')))
}
