import { isDeepStrictEqual } from 'node:util'
import { applyPatch, type Operation } from 'rfc6902'
import { reasons } from '../../webhook/decide/reasons.ts'
import type { Report, ReviewPod } from '../../webhook/review.ts'
import type { Settings } from '../../webhook/settings/settings.ts'
import type { Manifest, ManifestDocument } from './manifest.ts'
import { objectsOf, type ManifestObject } from './workloads.ts'

/** An object of a manifest, and what was decided about its pod. */
export interface Reviewed {
  readonly file: string
  readonly document: ManifestDocument
  readonly object: ManifestObject
  /** Where it will be: its own namespace, or the one that was given, or `default`. */
  readonly namespace: string
  readonly report: Report
  /** JSON Patch with paths from the object; empty for what is left as it is. */
  readonly patch: readonly Operation[]
}

/** What reviews are made with. */
export interface Reviewer {
  readonly reviewPod: ReviewPod
  readonly settings: Settings
  /** Of objects that do not say their own. */
  readonly namespace: string
}

/** Decides about every object of a manifest. */
export function reviewManifest({ file, documents }: Manifest, reviewer: Reviewer): Reviewed[] {
  return documents.flatMap(document =>
    objectsOf(document.value).map(object => ({ file, document, object, ...reviewObject(object, reviewer) }))
  )
}

function reviewObject(
  { pod, namespace: own }: ManifestObject,
  { reviewPod, settings, namespace: given }: Reviewer
): Pick<Reviewed, 'namespace' | 'report' | 'patch'> {
  const namespace = own ?? given
  if (!pod) {
    const report: Report = {
      result: 'skip',
      reasons: [{ code: 'not_a_pod', message: reasons.not_a_pod }],
      warnings: []
    }
    return { namespace, report, patch: [] }
  }
  const { report, patch } = reviewPod({ pod: pod.pod, namespace, settings })
  // The webhook also notes on a pod why it skipped it. A manifest says what its author wants, and that is no part of it.
  if (report.result !== 'inject') return { namespace, report, patch: [] }
  const prefix = pod.path.map(step => `/${step}`).join('')
  return { namespace, report, patch: patch.map(operation => ({ ...operation, path: prefix + operation.path })) }
}

/** What a document says with the patches made in it; nothing is shared with it. */
export function patchedValue(document: ManifestDocument, reviewed: readonly Reviewed[]): unknown {
  const value = JSON.parse(JSON.stringify(document.value)) as unknown
  for (const { document: its, object, patch } of reviewed) {
    if (its !== document) continue
    const prefix = object.path.map(step => `/${step}`).join('')
    const errors = applyPatch(
      value,
      patch.map(operation => ({ ...structuredClone(operation), path: prefix + operation.path }))
    )
    for (const error of errors) if (error) throw error
  }
  return value
}

/** True when both are the same JSON. */
export function isSameJson(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))
}
