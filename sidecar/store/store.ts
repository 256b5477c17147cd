import type { CloudEvent } from '../cloudevents/event.ts'

/** An event on its way from the receiver to Kafka, with everything that was decided when it was accepted. */
export interface AcceptedEvent {
  readonly event: CloudEvent
  readonly topic: string
  /** When the receiver had all of it: ms since 1970. */
  readonly receivedAt: number
}

/** An event that the store has taken responsibility for; handed out by {@link EventStore.take} and given back by release. */
export interface StoredEvent extends AcceptedEvent {
  /** Grows by one per event in the order of acceptance. */
  readonly sequence: number
  /** What it counts against the store's bound, in bytes: data, attributes and bookkeeping. */
  readonly bytes: number
}

/**
 * - `stored`: the store answers for the events now; the sender may be told 200
 * - `full`: none of them was taken
 */
export type AppendOutcome = 'stored' | 'full'

/**
 * The seam between receiving and delivering. The receiver answers 200 when the store says `stored`; delivery takes
 * events, and releases each when Kafka has acknowledged it or it was given up with a count. What was appended and not
 * released is pending, and survives what the store's durability says it survives.
 */
export interface EventStore {
  /**
   * Takes events, all of them or none.
   * @param done called once, at once or later; what it does must not throw
   */
  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void
  /** The oldest event not handed out yet; undefined when there is none. */
  take(): StoredEvent | undefined
  /** The event needs no keeping any more. Events are released in any order, each once. */
  release(event: StoredEvent): void
  /** Called when events can be taken after there were none. */
  onAvailable: () => void
  readonly pendingEvents: number
  readonly pendingBytes: number
  readonly limitBytes: number
  /** `receivedAt` of the oldest event that was not released; undefined when nothing is pending. */
  oldestReceivedAt(): number | undefined
}
