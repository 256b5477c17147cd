import { randomBytes } from 'node:crypto'
import type { Event } from 'kubernetes-types/core/v1.js'
import { codes, sentences } from '../server/admission-review.ts'
import type { Decision } from '../server/endpoint.ts'
import type { Owner } from '../server/subject.ts'
import { clip } from '../server/warnings.ts'
import { eventTypeOf } from './importance.ts'

/** Who reports: a qualified name, as Kubernetes wants it. */
const COMPONENT = 'inference-logger.io/webhook'
const REASONS = { inject: 'Injected', skip: 'InjectionSkipped', deny: 'InjectionDenied' } as const
/** Kubernetes' limits. */
const MAX_MESSAGE = 1024
const MAX_NAME = 253

/** A decision that is told to its pod's owner. */
export interface Notice {
  readonly namespace: string
  /** Notices with the same key say the same of the same object. */
  readonly key: string
  readonly event: Event
}

/**
 * Makes the Event of a decision.
 * @param instance this process's: the pod's name
 * @param at ms since 1970
 * @returns undefined when there is nobody to tell, or nothing worth telling
 */
export function noticeOf({ subject, report, dryRun }: Decision, instance: string, at: number): Notice | undefined {
  const { owner, namespace } = subject
  const type = eventTypeOf(report)
  if (dryRun || owner === undefined || namespace === '' || type === undefined) return undefined
  const reasons = codes(report).join(', ')
  const time = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    namespace,
    key: JSON.stringify([namespace, owner.uid, report.result, reasons]),
    event: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: nameOf(owner), namespace },
      involvedObject: { ...owner, namespace },
      type,
      reason: REASONS[report.result],
      message: clip(`${reasons}: ${sentences(report)}`, MAX_MESSAGE),
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: instance,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1
    }
  }
}

/** As client-go names them: the object's name and what tells it from others. */
function nameOf({ name }: Owner): string {
  const suffix = `.${randomBytes(8).toString('hex')}`
  return name.slice(0, MAX_NAME - suffix.length) + suffix
}
