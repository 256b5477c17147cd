import type { Irregularity } from '../cloudevents/errors.ts'
import type { EventKind } from '../cloudevents/event.ts'
import type { PermanentReason } from '../delivery/classify.ts'
import type { RejectReason } from '../receiver/replies.ts'
import type { StoreDropReason } from '../store/store.ts'

/** A count per label value. */
export type Tally<L extends string = string> = Partial<Record<L, number>>

/** What became of a note for INFERENCE_LOGGER_DEAD_LETTER_TOPIC. */
export type DeadLetterTopicResult = 'delivered' | 'failed' | 'skipped'

/** Why an accepted event was given up. */
export type DropReason = PermanentReason | StoreDropReason

/**
 * What happened, in plain numbers: the hot path adds to these, and a scrape reads them all in one turn of the event
 * loop, so that received + replayed = delivered + pending + dead-lettered + dropped holds in every answer.
 */
export class Ledger {
  readonly received: Record<EventKind, number> = { request: 0, response: 0, other: 0 }
  receivedBytes = 0
  /** Events that were in the journal at the start. */
  replayed = 0
  delivered = 0
  deliveredBytes = 0
  /** ms since 1970 of the last delivery; 0: none yet. */
  lastDeliveryAt = 0
  // What somebody is to be woken up for starts at 0: an increase() from nothing to 1 is none.
  readonly deadLettered: Record<PermanentReason, number> = { record_too_large: 0, invalid_record: 0, internal_error: 0 }
  /** Dead letters that were deleted to make room for newer ones. */
  deadLettersDiscarded = 0
  readonly deadLetterTopicRecords: Tally<DeadLetterTopicResult> = {}
  readonly dropped: Record<DropReason, number> = {
    record_too_large: 0,
    invalid_record: 0,
    internal_error: 0,
    queue_full: 0,
    journal_unreadable: 0
  }
  readonly rejected: Tally<RejectReason> = {
    queue_full: 0,
    journal_failed: 0,
    too_many_connections: 0,
    internal_error: 0
  }
  readonly irregular: Tally<Irregularity> = {}
  /** By the error's name, which is bounded: librdkafka has 172 of them. */
  readonly kafkaErrors: Tally = {}
  producerRebuilds = 0
  /** Events answered 200 from memory, since the journal failed. */
  bypassedJournal = 0
  /** By the system's name of the error (`ENOSPC`), which is bounded. */
  readonly journalErrors: Tally = {}
  readonly quarantined: Record<'record' | 'segment', number> = { record: 0, segment: 0 }

  get receivedTotal(): number {
    return this.received.request + this.received.response + this.received.other
  }
}

/** Adds to a tally. */
export function count<L extends string>(tally: Tally<L>, label: L, by = 1): void {
  tally[label] = (tally[label] ?? 0) + by
}

/** The sum of a tally. */
export function sum(tally: Tally): number {
  return Object.values(tally).reduce<number>((total, one) => total + (one ?? 0), 0)
}
