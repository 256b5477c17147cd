/**
 * What to do about a record that Kafka did not take.
 * - `retry`: later, in a batch with others
 * - `alone`: permanent if it happened to the record alone; in a batch with others the broker refused all of them, and
 *   only one may be to blame: see caution.ts
 * - `rebuild`: the producer is beyond repair; a new one takes over everything in flight
 */
export type Verdict =
  | { readonly action: 'retry' }
  | { readonly action: 'alone'; readonly reason: PermanentReason }
  | { readonly action: 'rebuild' }

/** Why a record can never be delivered: the label `reason` of dropped and dead-lettered events. */
export type PermanentReason = 'record_too_large' | 'invalid_record' | 'internal_error'

const RETRY: Verdict = { action: 'retry' }
const REBUILD: Verdict = { action: 'rebuild' }
const TOO_LARGE: Verdict = { action: 'alone', reason: 'record_too_large' }
const INVALID: Verdict = { action: 'alone', reason: 'invalid_record' }

/**
 * The short list of what is known not to be cured by waiting. Everything else is retried: peers lost data by believing
 * that a timeout or a policy error is final.
 */
const VERDICTS: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  [10, TOO_LARGE], // MSG_SIZE_TOO_LARGE: more than the topic's max.message.bytes, counted per batch
  [18, TOO_LARGE], // RECORD_LIST_TOO_LARGE: more than the segment takes, counted per batch
  [32, INVALID], // INVALID_TIMESTAMP: outside the topic's message.timestamp.*.max.ms
  [43, INVALID], // UNSUPPORTED_FOR_MESSAGE_FORMAT: a topic of an old format cannot hold headers
  [87, INVALID], // INVALID_RECORD: e.g. no key in a compacted topic
  [-150, REBUILD], // _FATAL: librdkafka's idempotent producer gave up (librdkafka#3584)
  [-144, REBUILD], // _FENCED
  [45, REBUILD], // OUT_OF_ORDER_SEQUENCE_NUMBER
  [47, REBUILD], // INVALID_PRODUCER_EPOCH
  [49, REBUILD], // INVALID_PRODUCER_ID_MAPPING
  [59, REBUILD], // UNKNOWN_PRODUCER_ID
  [90, REBUILD] // PRODUCER_FENCED
])

/** Decides from the error's code. */
export function classify(code: number): Verdict {
  return VERDICTS.get(code) ?? RETRY
}
