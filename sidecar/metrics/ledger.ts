import type { Irregularity } from '../cloudevents/errors.ts'
import type { EventKind } from '../cloudevents/event.ts'
import type { PermanentReason } from '../delivery/classify.ts'
import type { RejectReason } from '../receiver/replies.ts'

/** A count per label value. */
export type Tally<L extends string = string> = Partial<Record<L, number>>

/**
 * What happened, in plain numbers: the hot path adds to these, and a scrape reads them all in one turn of the event
 * loop, so that received = delivered + pending + dead-lettered + dropped holds in every answer.
 */
export class Ledger {
  readonly received: Record<EventKind, number> = { request: 0, response: 0, other: 0 }
  receivedBytes = 0
  delivered = 0
  deliveredBytes = 0
  /** ms since 1970 of the last delivery; 0: none yet. */
  lastDeliveryAt = 0
  readonly deadLettered: Tally = {}
  readonly dropped: Tally<PermanentReason> = {}
  readonly rejected: Tally<RejectReason> = {}
  readonly irregular: Tally<Irregularity> = {}
  /** By the error's name, which is bounded: librdkafka has 172 of them. */
  readonly kafkaErrors: Tally = {}
  producerRebuilds = 0

  get receivedTotal(): number {
    return this.received.request + this.received.response + this.received.other
  }
}

/** Adds one to a tally. */
export function count<L extends string>(tally: Tally<L>, label: L): void {
  tally[label] = (tally[label] ?? 0) + 1
}

/** The sum of a tally. */
export function sum(tally: Tally): number {
  return Object.values(tally).reduce<number>((total, one) => total + (one ?? 0), 0)
}
