import type { Reviewed } from './review.ts'

const WORDS = { inject: 'injected', skip: 'skipped', deny: 'denied' } as const
/** Longer names do not push the reasons of all others to the right. */
const WIDEST_NAME = 60

/**
 * One line for each object with a pod, with its reasons; further reasons and warnings below it. Nothing for the others.
 */
export function textReport(reviewed: readonly Reviewed[]): string {
  const shown = reviewed.filter(({ object }) => object.pod !== undefined)
  const width = Math.min(WIDEST_NAME, Math.max(0, ...shown.map(one => nameOf(one).length)))
  return shown.map(one => entry(one, width)).join('')
}

/** All objects as a JSON array. */
export function jsonReport(reviewed: readonly Reviewed[]): string {
  const entries = reviewed.map(({ file, object: { kind, name }, namespace, report }) => ({
    file,
    kind,
    namespace,
    name,
    result: report.result,
    reasons: report.reasons,
    warnings: report.warnings
  }))
  return `${JSON.stringify(entries, null, 2)}\n`
}

/** `models/Deployment/iris-predictor` */
export function nameOf({ namespace, object: { kind, name } }: Reviewed): string {
  return `${namespace}/${kind}/${name}`
}

function entry(reviewed: Reviewed, width: number): string {
  const { report } = reviewed
  const head = `${WORDS[report.result].padEnd(8)}  ${nameOf(reviewed).padEnd(width)}  `
  const lines = [
    ...report.reasons.map(({ code, message }) => `${code}: ${message}`),
    ...report.warnings.map(warning => `warning: ${warning}`)
  ]
  return lines.map((line, index) => `${index === 0 ? head : ' '.repeat(8 + 2 + width + 2)}${line}\n`).join('')
}
