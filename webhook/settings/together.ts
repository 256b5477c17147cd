import { formatBytes, parseBytes, ValueError } from '../../sidecar/config/units.ts'
import { parseCpu, parseMemory } from '../annotations/quantity.ts'
import { EMPTY_DIR } from '../annotations/parse.ts'
import type { AnnotationName } from '../annotations/table.ts'
import { storageOf } from './claims.ts'
import type { SettingsMistake } from './errors.ts'
import { isRecord } from '../pod.ts'
import { ANNOTATIONS, parseDiskSize, parseSeconds } from './values.ts'
import type { View } from './view.ts'

const DAY_SECONDS = 86_400

/** Finds settings that are right alone and wrong together. */
export function together(view: View): SettingsMistake[] {
  return [
    ...ports(view),
    ...allowedAndForbidden(view),
    ...resources(view),
    ...gracePeriod(view),
    ...journal(view),
    ...certificates(view)
  ]
}

function ports(view: View): SettingsMistake[] {
  if (view.isWrong('port') || view.isWrong('metricsPort')) return []
  const port = view.text('port') ?? '9480'
  const metricsPort = view.text('metricsPort') ?? '9481'
  // As numbers: 9480 and 09480 are the same.
  if (Number(port) !== Number(metricsPort)) return []
  return [{ path: 'metricsPort', value: metricsPort, advice: 'has to be another port than port' }]
}

function allowedAndForbidden(view: View): SettingsMistake[] {
  const forbidden = view.list('annotations', 'forbid')
  return view
    .list('annotations', 'allow')
    .filter(name => forbidden.includes(name))
    .map(value => ({ path: 'annotations.allow', value, advice: 'is in annotations.forbid too: leave out one of them' }))
}

/** Kubernetes refuses a container that asks for more than it may have; what is asked for by itself is lowered. */
function resources(view: View): SettingsMistake[] {
  return (
    [
      ['cpu-request', 'cpu-limit', parseCpu],
      ['memory-request', 'memory-limit', parseMemory]
    ] as const
  ).flatMap(([request, limit, parse]) => {
    const most = defaultOf(view, limit, parse)
    const asked = view.text('defaults', request) === undefined ? undefined : defaultOf(view, request, parse)
    if (most === undefined || asked === undefined || asked.value <= most.value) return []
    const advice = `has to be at most defaults.${limit}, which is ${most.text}`
    return [{ path: `defaults.${request}`, value: asked.text, advice }]
  })
}

/** The sidecar takes no times beyond a day. */
function gracePeriod(view: View): SettingsMistake[] {
  const seconds = (['agentDrain', 'flush'] as const).map(name =>
    attempt(() => parseSeconds(view.text('gracePeriod', name) ?? '0s'))
  )
  const sum = seconds.reduce<number>((total, part) => total + (part ?? 0), 0)
  if (sum < DAY_SECONDS) return []
  return [
    { path: 'gracePeriod', advice: 'has agentDrain and flush that are a day or more together: they have to be less' }
  ]
}

function journal(view: View): SettingsMistake[] {
  const mistakes: SettingsMistake[] = []
  const templates = view.value('journal', 'claimTemplates')
  const names = isRecord(templates) ? Object.keys(templates) : []
  const volume = view.text('defaults', 'journal-volume')
  if (volume !== undefined && volume !== EMPTY_DIR && !names.includes(volume)) {
    const advice = `has to be ${EMPTY_DIR}, or one of journal.claimTemplates (${names.length === 0 ? 'there is none' : names.join(', ')})`
    mistakes.push({ path: 'defaults.journal-volume', value: volume, advice })
  }
  if (names.includes(EMPTY_DIR)) {
    const advice = `has to be called otherwise: ${EMPTY_DIR} is a volume without a claim`
    mistakes.push({ path: `journal.claimTemplates.${EMPTY_DIR}`, advice })
  }
  return [...mistakes, ...tooSmallVolumes(view, volume)]
}

/** The kubelet evicts a pod whose emptyDir is larger than it may be, and a full claim fails the journal. */
function tooSmallVolumes(view: View, volume: string | undefined): SettingsMistake[] {
  const need = bytesInJournal(view)
  if (need === undefined) return []
  const advice =
    `has to be at least ${formatBytes(need)}, for defaults.journal-max-bytes, a quarter of it for what is set aside as ` +
    'damaged, and defaults.dead-letter-max-bytes'
  const sizeLimit = view.text('journal', 'sizeLimit')
  const limit = sizeLimit === undefined ? undefined : attempt(() => parseDiskSize(sizeLimit))
  const mistakes = limit !== undefined && limit < need ? [{ path: 'journal.sizeLimit', value: sizeLimit, advice }] : []
  const template = volume === undefined ? undefined : view.value('journal', 'claimTemplates', volume)
  const storage = isRecord(template) ? storageOf(template) : undefined
  if (volume !== undefined && storage !== undefined && storage < need) {
    const path = `journal.claimTemplates.${volume}.spec.resources.requests.storage`
    mistakes.push({ path, value: undefined, advice })
  }
  return mistakes
}

/** @returns undefined when it is wrong already */
function bytesInJournal(view: View): number | undefined {
  // Durability memory has no journal, and dead letters have their files all the same.
  const durability = defaultOf(view, 'durability', String)
  const journalBytes = durability === 'memory' ? 0 : defaultOf(view, 'journal-max-bytes', parseBytes)
  const deadLetters = defaultOf(view, 'dead-letter-max-bytes', parseBytes)
  if (journalBytes === undefined || deadLetters === undefined) return undefined
  return Math.ceil(journalBytes * 1.25) + deadLetters
}

function certificates(view: View): SettingsMistake[] {
  if (view.value('kafka', 'ca') === undefined || view.value('kafka', 'config', 'ssl.ca.location') === undefined)
    return []
  return [{ path: 'kafka.config.ssl.ca.location', advice: 'is set by kafka.ca: leave out one of them' }]
}

/** @returns the parsed default of an annotation, the settings' or else the table's; undefined when it is wrong */
function defaultOf<T>(view: View, name: AnnotationName, parse: (text: string) => T): T | undefined {
  if (view.isWrong('defaults', name)) return undefined
  const value = view.text('defaults', name) ?? ANNOTATIONS[name].default
  return value === undefined ? undefined : attempt(() => parse(value))
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    return undefined
  }
}
