import type { Operation } from 'rfc6902'
import type { ReasonCode } from './decide/reasons.ts'
import type { Settings } from './settings/settings.ts'

/** Why, as a code that never changes its meaning, and as a sentence for a person. */
export interface Reason {
  readonly code: ReasonCode
  readonly message: string
}

/** What was decided about a pod: the same in the log, the metric, the Event, the pod's annotation and `inject`'s report. */
export interface Report {
  readonly result: 'inject' | 'skip' | 'deny'
  /** All of them, the most important first; never empty. */
  readonly reasons: readonly Reason[]
  /** What works and is probably not meant, a sentence each. */
  readonly warnings: readonly string[]
}

/** A decision, and what it changes. */
export interface Review {
  readonly report: Report
  /** JSON Patch (RFC 6902) from the pod that was given to the one to admit; may be empty. */
  readonly patch: readonly Operation[]
}

/** What a review needs to know. */
export interface ReviewInput {
  /** The pod, as JSON that was parsed; not changed. */
  readonly pod: unknown
  /** The request's namespace: a pod that a controller makes may not name its own. */
  readonly namespace: string
  readonly settings: Settings
}

/** Decides about a pod and makes the patch. Pure: the same input, the same answer; never throws on any JSON. */
export type ReviewPod = (input: ReviewInput) => Review
