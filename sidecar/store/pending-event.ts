import type { CloudEvent } from '../cloudevents/event.ts'
import type { JournalRecord } from '../journal/batch.ts'
import type { Segment } from '../journal/segment.ts'
import type { Acknowledgement } from './acknowledgements.ts'
import type { PendingNode } from './pending-list.ts'
import { sizeOf } from './size.ts'
import type { AcceptedEvent, StoredEvent } from './store.ts'

/** A pending event that is in memory, and nearly always on disk as well. */
export class PendingEvent implements StoredEvent, JournalRecord, PendingNode {
  readonly event: CloudEvent
  readonly topic: string
  readonly receivedAt: number
  /** Changes once where the event was accepted before there was a journal: see JournalStore. */
  sequence: number
  readonly bytes: number
  readonly replayed: boolean
  segment: Segment | undefined = undefined
  offset = 0
  size = 0
  previous: PendingNode | undefined = undefined
  next: PendingNode | undefined = undefined
  /** Who waits for the release, in durability `kafka`. */
  acknowledgement: Acknowledgement | undefined = undefined
  /** Released while it was on its way into the journal. */
  released = false

  constructor({ event, topic, receivedAt }: AcceptedEvent, sequence: number, replayed: boolean) {
    this.event = event
    this.topic = topic
    this.receivedAt = receivedAt
    this.sequence = sequence
    this.bytes = sizeOf(event)
    this.replayed = replayed
  }
}
