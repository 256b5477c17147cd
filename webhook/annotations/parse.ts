import { nearest, withoutCredentials } from '../../sidecar/config/errors.ts'
import { ValueError } from '../../sidecar/config/units.ts'
import { stringMap } from '../pod.ts'
import type { Settings } from '../settings/settings.ts'
import {
  annotations,
  ORIGINAL_GRACE_ANNOTATION,
  PREFIX,
  STATUS_ANNOTATION,
  type Annotation,
  type AnnotationName,
  type Options
} from './table.ts'

/** A wrong annotation: its whole name, the value where that says something, and what is allowed. */
export interface AnnotationMistake {
  readonly annotation: string
  readonly value?: string
  readonly advice: string
}

/** What a pod's annotations and the settings say together. */
export interface ParsedOptions {
  readonly options: Options
  /** As text, of those that somebody set: in the pod or in the settings. */
  readonly texts: Readonly<Partial<Record<AnnotationName, string>>>
  readonly mistakes: readonly AnnotationMistake[]
}

const WRITTEN: ReadonlySet<string> = new Set([STATUS_ANNOTATION, ORIGINAL_GRACE_ANNOTATION])
const NAMES = Object.keys(annotations) as AnnotationName[]
const table: Readonly<Record<AnnotationName, Annotation>> = annotations

/**
 * Reads the annotations of a pod.
 * @param all of them; those of others are not looked at
 */
export function parseOptions(all: Readonly<Record<string, unknown>>, settings: Settings): ParsedOptions {
  const podAnnotations = stringMap(all)
  const mistakes: AnnotationMistake[] = [...unknownNames(all), ...notTexts(all)]
  const texts: Partial<Record<AnnotationName, string>> = {}
  const options: Record<string, unknown> = {}
  for (const name of NAMES) {
    const own = podAnnotations[PREFIX + name]
    const set = own ?? settings.defaults[name]
    if (set !== undefined) texts[name] = set
    if (own !== undefined && !isAllowed(name, settings)) {
      mistakes.push({
        annotation: PREFIX + name,
        advice: 'is not allowed here; the administrator’s settings decide it (annotations.allow, annotations.forbid)'
      })
      continue
    }
    const value = set ?? table[name].default
    if (value === undefined) continue
    try {
      options[name] = table[name].parse(value)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      mistakes.push({
        annotation: PREFIX + name,
        value: withoutCredentials(value),
        advice: `has to be ${error.message}`
      })
    }
  }
  const volume = options['journal-volume']
  if (typeof volume === 'string' && volume !== EMPTY_DIR && !Object.hasOwn(settings.journal.claimTemplates, volume)) {
    const known = [EMPTY_DIR, ...Object.keys(settings.journal.claimTemplates)]
    mistakes.push({
      annotation: `${PREFIX}journal-volume`,
      value: volume,
      advice: `has to be one of ${known.join(', ')}`
    })
  }
  mistakes.push(...contradictions(options as Options, texts))
  return { options: options as Options, texts, mistakes }
}

/** In a manifest that no API server has seen yet, a number or `true` without quotes. */
function notTexts(all: Readonly<Record<string, unknown>>): AnnotationMistake[] {
  return Object.entries(all)
    .filter(([key, value]) => key.startsWith(PREFIX) && typeof value !== 'string')
    .map(([annotation]) => ({ annotation, advice: 'has to be a text: put the value in quotes' }))
}

/** @returns the name that was probably meant: a near one, or the end of a longer one (`kafka-topic`) */
function meantBy(name: string): AnnotationName | undefined {
  return (nearest(name, NAMES) as AnnotationName | undefined) ?? NAMES.find(known => name.endsWith(`-${known}`))
}

function contradictions(options: Options, texts: ParsedOptions['texts']): AnnotationMistake[] {
  return (['cpu', 'memory'] as const).flatMap(resource => {
    const [request, limit] = [options[`${resource}-request`], options[`${resource}-limit`]]
    // Where only one of them is set, the other follows it.
    const both = texts[`${resource}-request`] !== undefined && texts[`${resource}-limit`] !== undefined
    if (!both || request === undefined || limit === undefined || request.value <= limit.value) return []
    const annotation = `${PREFIX}${resource}-request`
    return [{ annotation, value: request.text, advice: `has to be at most ${PREFIX}${resource}-limit, ${limit.text}` }]
  })
}

/** `journal-volume` for a volume that lives as long as the pod. */
export const EMPTY_DIR = 'emptydir'

function isAllowed(name: AnnotationName, { annotations: { allow, forbid } }: Settings): boolean {
  return table[name].allowed ? !forbid.includes(name) : allow.includes(name)
}

/** Nothing of ours is ignored: a misspelt `topic` would send the events elsewhere, and nobody would see it. */
function unknownNames(all: Readonly<Record<string, unknown>>): AnnotationMistake[] {
  return Object.keys(all)
    .filter(key => key.startsWith(PREFIX) && !WRITTEN.has(key) && !Object.hasOwn(annotations, key.slice(PREFIX.length)))
    .map(annotation => {
      const meant = meantBy(annotation.slice(PREFIX.length))
      const guess = meant === undefined ? '' : `; did you mean ${PREFIX}${meant}?`
      return { annotation, advice: `is no annotation of the inference logger${guess}` }
    })
}
