/** Why a request is no event that can be kept. Each is a value of the metric label `reason` and of the reply's `reason`. */
export type InvalidReason =
  | 'not_a_cloudevent'
  | 'missing_attribute'
  | 'invalid_attribute'
  | 'unsupported_specversion'
  | 'unsupported_format'
  | 'invalid_json'
  | 'invalid_batch'
  | 'invalid_data'

/** A request that is no CloudEvent; the message tells its sender what is wrong with it. */
export class InvalidEventError extends Error {
  readonly reason: InvalidReason

  constructor(reason: InvalidReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/**
 * What was odd about an event that was kept all the same: KServe's agent never retries, so refusing is losing.
 * Each is a value of the metric label `reason`.
 */
export type Irregularity =
  'attribute_name' | 'attribute_value' | 'header_escape' | 'header_bytes' | 'time' | 'ce_datacontenttype'

/** Told of every irregularity; called once for each. */
export type OnIrregular = (what: Irregularity) => void
