import type { CloudEvent } from '../cloudevents/event.ts'

/** An event on its way from the receiver to Kafka, with everything that was decided when it was accepted. */
export interface AcceptedEvent {
  readonly event: CloudEvent
  readonly topic: string
  /** When the receiver had all of it: ms since 1970. */
  readonly receivedAt: number
}

/** An event that the store has taken responsibility for; handed out by {@link TopicQueue.take} and given back by release. */
export interface StoredEvent extends AcceptedEvent {
  /** Grows in the order of acceptance, across restarts as well. Not every number is used. */
  readonly sequence: number
  /** What it counts against bounds on memory, in bytes: data, attributes and bookkeeping. */
  readonly bytes: number
  /** Found in the journal at the start: an earlier run of the process may have delivered it already. */
  readonly replayed: boolean
}

/**
 * - `stored`: the store answers for the events now; the sender may be told 200
 * - `full`: none of them was taken, because the bound is reached
 * - `failed`: none of them was taken, because the journal does not work and INFERENCE_LOGGER_WHEN_JOURNAL_FAILS is `reject`
 */
export type AppendOutcome = 'stored' | 'full' | 'failed'

/** The events of one topic that wait to be taken, in the order of acceptance. */
export interface TopicQueue {
  readonly topic: string
  /** Events that were not taken, in memory and on disk. */
  readonly waiting: number
  /**
   * The next event, without taking it. undefined: there is none, or it has to be read from the disk first, which the
   * call sets off; {@link EventStore.onAvailable} is called when it is there.
   */
  peek(): StoredEvent | undefined
  /** Takes what {@link peek} showed just before. */
  take(): void
}

/** Why an accepted event was given up by the store itself: labels `reason` of `events_dropped_total`. */
export type StoreDropReason = 'queue_full' | 'journal_unreadable'

/**
 * The seam between receiving and delivering. The receiver answers 200 when the store says `stored`; delivery takes
 * events, and releases each when Kafka has acknowledged it or it was given up with a count. What was appended and not
 * released is pending, and survives what the store's durability says it survives.
 */
export interface EventStore {
  /**
   * Takes events, all of them or none.
   * @param done called once, at once or later, in the order of the calls only where the outcome is the same; what it
   *   does must not throw
   */
  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void
  /** A queue for each topic that ever had an event; the same object each time, in the order in which they came up. */
  queues(): Iterable<TopicQueue>
  /** The event needs no keeping any more. Events that were taken are released in any order, each once. */
  release(event: StoredEvent): void
  /** Called when events have become pending, before anybody is told; durability `kafka` answers their sender much later. */
  onAccepted: (events: readonly AcceptedEvent[]) => void
  /** Called when a queue may have something to take that it had not before. */
  onAvailable: () => void
  /** Called when accepted events were given up by the store itself; they are not pending any more. */
  onDropped: (reason: StoreDropReason, events: number) => void
  /** Accepted, and neither released nor dropped. */
  readonly pendingEvents: number
  /** Pending events that the end of the process would lose. */
  readonly volatileEvents: number
  /** What pending events take in memory, as {@link StoredEvent.bytes} counts it. */
  readonly pendingBytes: number
  /** Bound of {@link pendingBytes}. */
  readonly limitBytes: number
  /** `receivedAt` of the oldest pending event; undefined when nothing is pending. */
  oldestReceivedAt(): number | undefined
  /** Ends: what is pending stays where it survives. Nothing may be appended or taken after. */
  close(): Promise<void>
}
