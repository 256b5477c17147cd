import { createPatch, type Operation } from 'rfc6902'
import type { RawPod } from './pod.ts'

/**
 * Makes the JSON Patch from one pod to the other. A member that is there already is replaced by `add`, which RFC 6902
 * section 4.1 allows, but for the grace period: so a reader sees at a glance that nothing of the pod's is changed.
 */
export function patchBetween(before: RawPod, after: RawPod): readonly Operation[] {
  return createPatch(before, after).map(operation =>
    operation.op === 'replace' && operation.path !== '/spec/terminationGracePeriodSeconds'
      ? { ...operation, op: 'add' as const }
      : operation
  )
}
