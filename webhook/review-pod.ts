import { environmentMistakes } from './annotations/check.ts'
import { parseOptions, type AnnotationMistake, type ParsedOptions } from './annotations/parse.ts'
import { annotations, PREFIX, STATUS_ANNOTATION, type Annotation } from './annotations/table.ts'
import { decide, SERVICE_LABELS } from './decide/decide.ts'
import type { Listen } from './decide/sink.ts'
import { annotated, planSidecar, withRestartPolicy, withSidecar } from './inject/inject.ts'
import { statusText } from './inject/status.ts'
import { patchBetween } from './patch.ts'
import { isRecord, labelsOf, record, type RawPod } from './pod.ts'
import type { Reason, Report, Review, ReviewInput } from './review.ts'
import type { Settings } from './settings/settings.ts'

/** Skips that say nothing new about a pod, or that cannot be written on it. */
const UNMARKED: ReadonlySet<string> = new Set(['not_a_pod', 'mirror_pod', 'already_injected', 'namespace_ignored'])

/** Decides about a pod and makes the patch. Pure: the same input, the same answer; it never throws on any JSON. */
export function reviewPod({ pod, namespace, settings }: ReviewInput): Review {
  if (!isRecord(pod)) return unchanged(skipped([{ code: 'not_a_pod', message: 'the object is no pod' }]))
  const parsed = parseOptions(record(record(pod['metadata'])['annotations']), settings)
  const decision = decide({ pod, namespace, settings, inject: parsed.options.inject })
  switch (decision.result) {
    case 'repair': {
      const report: Report = { result: 'inject', reasons: decision.reasons, warnings: [] }
      return { report, patch: patchBetween(pod, withRestartPolicy(pod, decision.index)) }
    }
    case 'skip': {
      const unclear = parsed.mistakes.filter(({ annotation }) => annotation === `${PREFIX}inject`)
      if (unclear.length > 0 && !decision.final) return refused(pod, unclear, settings)
      return marked(pod, skipped(decision.reasons))
    }
    case 'inject': {
      if (parsed.mistakes.length > 0) return refused(pod, parsed.mistakes, settings)
      const { reasons, warnings, listen } = decision
      return injected(pod, settings, parsed, listen, { result: 'inject', reasons, warnings })
    }
  }
}

function injected(pod: RawPod, settings: Settings, parsed: ParsedOptions, listen: Listen, report: Report): Review {
  const plan = planSidecar(pod, settings, parsed, listen)
  const mistakes = environmentMistakes(plan.container.env ?? [])
  if (mistakes.length > 0) {
    return refused(
      pod,
      mistakes.map(({ variable, value, advice }) => ({
        annotation: annotationOf(variable),
        ...(value === undefined ? {} : { value }),
        advice
      })),
      settings
    )
  }
  return { report, patch: patchBetween(pod, withSidecar(pod, plan, settings, parsed, report)) }
}

/** The annotation that a variable of the sidecar comes from; the variable where there is none. */
function annotationOf(variable: string): string {
  const entry = Object.entries(annotations as Readonly<Record<string, Annotation>>).find(
    ([, annotation]) => annotation.variable === variable
  )
  return entry === undefined ? variable : PREFIX + entry[0]
}

/** A wrong annotation: the pod is denied with everything that is wrong, or, where settings say so, runs without the sidecar. */
function refused(pod: RawPod, mistakes: readonly AnnotationMistake[], settings: Settings): Review {
  const reasons = mistakes.map(({ annotation, value, advice }): Reason => {
    const shown = value === undefined ? annotation : `${annotation}=${JSON.stringify(value.slice(0, 200))}`
    return { code: 'invalid_annotation', message: `${shown} ${advice}` }
  })
  if (settings.annotations.onMistake === 'skip') return marked(pod, skipped(reasons))
  return unchanged({ result: 'deny', reasons, warnings: [] })
}

function skipped(reasons: readonly Reason[]): Report {
  return { result: 'skip', reasons, warnings: [] }
}

function unchanged(report: Report): Review {
  return { report, patch: [] }
}

/** Writes onto a pod of KServe's why it has no sidecar: nobody would look anywhere else. */
function marked(pod: RawPod, report: Report): Review {
  const labels = labelsOf(pod)
  const isServing = SERVICE_LABELS.some(label => labels[label] !== undefined)
  if (!isServing || report.reasons.some(({ code }) => UNMARKED.has(code))) return unchanged(report)
  return { report, patch: patchBetween(pod, annotated(pod, { [STATUS_ANNOTATION]: statusText(report) })) }
}
