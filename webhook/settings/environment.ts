import { MASK, masked, type Mistake } from '../../sidecar/config/errors.ts'
import { KAFKA_CONFIG_PREFIX, kafkaProperties, propertyOfVariable } from '../../sidecar/config/kafka-config.ts'
import { variables, type Variable } from '../../sidecar/config/variables.ts'
import { environmentMistakes } from '../annotations/check.ts'
import type { SettingsChecks } from './checks.ts'
import type { SettingsMistake } from './errors.ts'
import { ANNOTATION_NAMES, ANNOTATIONS } from './values.ts'
import type { View } from './view.ts'

const VARIABLES = Object.values(variables as Readonly<Record<string, Variable<unknown>>>)
const FROM_THE_POD = 'is set from the pod: leave it out'

/** Variables of the sidecar that are not the user's, with what to do instead. */
const OURS: Readonly<Record<string, string>> = {
  [variables.brokers.name]: 'is kafka.brokers: set that instead',
  [variables.kafkaConfigFile.name]: 'is where kafka.configSecret is mounted: set that instead',
  [variables.listen.name]: 'follows from the logger’s URL: set port for pods where it does not say it',
  [variables.opsListen.name]: 'is metricsPort: set that instead',
  [variables.journalDir.name]: 'is where the journal’s volume is mounted: leave it out',
  [variables.drainIdle.name]: 'follows from gracePeriod: set that instead',
  [variables.gracePeriod.name]: 'follows from gracePeriod: set that instead',
  [variables.podName.name]: FROM_THE_POD,
  [variables.podNamespace.name]: FROM_THE_POD,
  [variables.nodeName.name]: FROM_THE_POD,
  [variables.inferenceServiceName.name]: FROM_THE_POD,
  [variables.component.name]: FROM_THE_POD,
  [variables.revision.name]: FROM_THE_POD
}

/** The annotation that stands for a variable, under any of the variable's names. */
const ANNOTATION_OF: ReadonlyMap<string, string> = new Map(
  ANNOTATION_NAMES.flatMap(annotation => {
    const found = VARIABLES.find(({ name }) => name === ANNOTATIONS[annotation].variable)
    return found === undefined ? [] : [found.name, ...(found.aliases ?? [])].map(name => [name, annotation] as const)
  })
)

/** Finds names in `env` that are ours to set, and secrets among them. */
export function foreignNames(view: View): SettingsMistake[] {
  return view.texts('env').flatMap(([name]) => {
    const advice = OURS[name] ?? insteadOf(name)
    return advice === undefined ? [] : [{ path: `env.${name}`, advice }]
  })
}

function insteadOf(name: string): string | undefined {
  const annotation = ANNOTATION_OF.get(name)
  if (annotation !== undefined) return `is defaults.${annotation}: set that instead`
  if (!name.startsWith(KAFKA_CONFIG_PREFIX)) return undefined
  const property = propertyOfVariable(name)
  return isSecret(property)
    ? 'is a secret: put it into the Secret that kafka.configSecret names'
    : `is kafka.config.${property}: set that instead`
}

/** What names a file or a server is no secret, even a secret's. */
function isSecret(property: string): boolean {
  return masked(property, '') === MASK && !/\.(?:url|file|location|id)$/.test(property)
}

/** Finds secrets in `kafka.config`, where every reader of a pod would find them too. */
export function secrets(view: View): SettingsMistake[] {
  return view
    .texts('kafka', 'config')
    .filter(([property]) => isSecret(property))
    .map(([property]) => ({
      path: `kafka.config.${property}`,
      advice: 'is a secret: put it into the Secret that kafka.configSecret names'
    }))
}

/** Asks librdkafka about `kafka.config`. */
export function properties(view: View, checks: SettingsChecks): SettingsMistake[] {
  const given = Object.fromEntries(view.texts('kafka', 'config'))
  // Given as a file's, for their names are then taken as they are.
  const { mistakes } = kafkaProperties({}, given, checks.checkProperty, checks.reserved)
  return mistakes.map(({ variable, value, advice }) => ({
    path: `kafka.config.${variable.replace(/ in KAFKA_CONFIG_FILE$/, '')}`,
    ...(value === undefined ? {} : { value }),
    advice: inSettings(advice)
  }))
}

/**
 * Reads the environment that a sidecar would get, as the sidecar does: a contradiction, or a misspelt name, is found now
 * and not by every pod.
 */
export function environment(view: View): SettingsMistake[] {
  const env = new Map<string, string>([[variables.brokers.name, view.text('kafka', 'brokers') ?? 'localhost:9092']])
  for (const [annotation, value] of view.texts('defaults')) {
    const name = (ANNOTATIONS as Readonly<Record<string, { variable?: string }>>)[annotation]?.variable
    if (name !== undefined) env.set(name, value)
  }
  for (const [name, value] of view.texts('env')) env.set(name, value)
  return environmentMistakes([...env].map(([name, value]) => ({ name, value }))).map(asSetting)
}

function asSetting({ variable, value, advice }: Mistake): SettingsMistake {
  return { path: settingOf(variable), ...(value === undefined ? {} : { value }), advice: inSettings(advice) }
}

/** The setting that becomes a variable. */
function settingOf(variable: string): string {
  if (variable === variables.brokers.name) return 'kafka.brokers'
  const annotation = ANNOTATION_OF.get(variable)
  return annotation === undefined ? `env.${variable}` : `defaults.${annotation}`
}

const NAMES = new RegExp(`\\b(?:${VARIABLES.map(({ name }) => name).join('|')})\\b`, 'g')

/** A sentence about variables, as one about settings. */
function inSettings(advice: string): string {
  return advice.replace(NAMES, settingOf)
}
