import type { ReviewPod } from '../../webhook/review.ts'
import type { Settings } from '../../webhook/settings/settings.ts'
import { mistypedTexts } from './check.ts'
import { InputError } from './input-error.ts'
import { parseManifest, type Manifest } from './manifest.ts'
import { jsonOutput, patchOutput } from './output-json.ts'
import { yamlOutput } from './output-yaml.ts'
import { jsonReport, nameOf, textReport } from './report.ts'
import { reviewManifest, type Reviewed } from './review.ts'
import type { Source } from './sources.ts'
import { podKinds } from './workloads.ts'

export const OUTPUTS = ['yaml', 'json', 'patch'] as const
export const REPORTS = ['text', 'json', 'none'] as const

/** What `inject` works with. */
export interface InjectInput {
  readonly sources: readonly Source[]
  readonly reviewPod: ReviewPod
  readonly settings: Settings
  readonly namespace: string
  readonly output: (typeof OUTPUTS)[number]
  readonly report: (typeof REPORTS)[number]
}

/** What `inject` answers; the exit code is one of {@link EXIT}. */
export interface InjectOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Exit codes, beside 2 for a wrong command line. */
export const EXIT = {
  /** At least one pod gets the sidecar, or has it. */
  INJECTED: 0,
  /** Something is wrong; nothing is on standard output. */
  FAILED: 1,
  /** The output is the input. */
  NOTHING: 3
} as const

/**
 * The webhook's decision and change for every pod in the sources.
 * @throws {InputError} when a source cannot be worked with
 */
export function inject({ sources, output, report, ...reviewer }: InjectInput): InjectOutcome {
  const manifests = parseAll(sources)
  const reviewed = manifests.flatMap(manifest => reviewManifest(manifest, reviewer))
  if (reviewed.length === 0) throw new InputError(`${sources.map(({ file }) => file).join(', ')}: there is no object`)
  const reported = report === 'none' ? '' : report === 'json' ? jsonReport(reviewed) : textReport(reviewed)
  const denied = reviewed.filter(one => one.report.result === 'deny')
  if (denied.length > 0) return { code: EXIT.FAILED, stdout: '', stderr: reported + denials(denied, report) }
  const stdout = printed(output, manifests, reviewed)
  if (reviewed.some(isInjected)) return { code: EXIT.INJECTED, stdout, stderr: reported }
  return { code: EXIT.NOTHING, stdout, stderr: reported + (report === 'text' ? nothingToDo(reviewed) : '') }
}

function parseAll(sources: readonly Source[]): Manifest[] {
  const mistakes: string[] = []
  const manifests = sources.flatMap(source => {
    try {
      const manifest = parseManifest(source)
      mistakes.push(...mistypedTexts(manifest))
      return [manifest]
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      mistakes.push(error.message)
      return []
    }
  })
  if (mistakes.length > 0) throw new InputError(mistakes.join('\n'))
  return manifests
}

function printed(output: InjectInput['output'], manifests: readonly Manifest[], reviewed: readonly Reviewed[]): string {
  switch (output) {
    case 'yaml':
      return yamlOutput(manifests, reviewed)
    case 'json':
      return jsonOutput(manifests, reviewed)
    case 'patch':
      return patchOutput(reviewed)
  }
}

function isInjected({ report: { result, reasons } }: Reviewed): boolean {
  return result === 'inject' || reasons.some(({ code }) => code === 'already_injected')
}

/** What the report does not say about denied pods. */
function denials(denied: readonly Reviewed[], report: InjectInput['report']): string {
  // Whoever reads the report as JSON wants nothing else.
  if (report === 'json') return ''
  const sentences = denied.flatMap(one => {
    const what = `inference-logger: ${one.file}: ${nameOf(one)}`
    return report === 'text'
      ? [`${what} would be denied; nothing was printed`]
      : one.report.reasons.map(({ message }) => `${what} would be denied: ${message}`)
  })
  return sentences.map(sentence => `${sentence}\n`).join('')
}

/** What somebody may have to know who gave no pod. */
function nothingToDo(reviewed: readonly Reviewed[]): string {
  if (reviewed.some(({ object }) => object.pod !== undefined)) return ''
  const service = reviewed.find(({ object }) => object.kind === 'InferenceService')
  if (!service) return `nothing to inject: there is none of ${podKinds.join(', ')}\n`
  const { name } = service.object
  const selector = `kubectl get pods -n ${service.namespace} -l serving.kserve.io/inferenceservice=${name} -o yaml`
  return `nothing to inject: KServe makes the pods of InferenceService ${name}; look at them with\n  ${selector} | inference-logger inject -f -\n`
}
