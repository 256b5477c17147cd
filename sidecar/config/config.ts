import { parse as parseProperties } from 'dot-properties'
import type { KafkaProperties } from '../kafka/properties.ts'
import { contradictions } from './contradictions.ts'
import { ConfigError, nearest, withoutCredentials, type Mistake } from './errors.ts'
import { KAFKA_CONFIG_PREFIX, kafkaProperties, type CheckProperty } from './kafka-config.ts'
import { ValueError } from './units.ts'
import { variables, type Command, type Settings, type Variable } from './variables.ts'

/** The whole configuration: parsed once, frozen. */
export interface Config extends Settings {
  readonly command: Command
  /** The user's librdkafka properties. */
  readonly kafka: KafkaProperties
  /** Things that work and should be changed, one sentence each. */
  readonly warnings: readonly string[]
}

/** Everything outside that parsing asks. */
export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** @throws {Error} when the file cannot be read */
  readonly readFile: (path: string) => string
  readonly checkProperty: CheckProperty
  /** Properties that cannot be set, with the reason. */
  readonly reserved: ReadonlyMap<string, string>
}

const OWN_PREFIX = 'INFERENCE_LOGGER_'

/**
 * Names that Kubernetes adds for Services (`kafka-config`, `inference-logger`, …): never ours, never called unknown.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

/**
 * Reads the environment.
 * @throws {ConfigError} with every mistake in it
 */
export function parseConfig(command: Command, sources: ConfigSources): Config {
  const env = set(sources.env)
  const mistakes: Mistake[] = []
  const warnings: string[] = []
  const settings: Record<string, unknown> = {}
  for (const [key, variable] of Object.entries(variables) as [string, Variable<unknown>][]) {
    settings[key] = readVariable(variable, command, env, mistakes, warnings)
  }
  const together = contradictions(settings)
  mistakes.push(...together.mistakes, ...unknownNames(env))
  warnings.push(...together.warnings)
  const { properties, mistakes: kafkaMistakes } = kafkaProperties(
    pick(env, name => name.startsWith(KAFKA_CONFIG_PREFIX) && name !== variables.kafkaConfigFile.name),
    readConfigFile(settings['kafkaConfigFile'] as string | undefined, sources.readFile, mistakes),
    sources.checkProperty,
    sources.reserved
  )
  mistakes.push(...kafkaMistakes)
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return Object.freeze({ ...(settings as unknown as Settings), command, kafka: properties, warnings })
}

/** An empty variable counts as one that is not set, as in a manifest whose value was left out. */
function set(env: ConfigSources['env']): Record<string, string> {
  return pick(env, (name, value) => value !== '' && !SERVICE_LINK.test(name))
}

function pick(
  env: Readonly<Record<string, string | undefined>>,
  wanted: (name: string, value: string) => boolean
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && wanted(entry[0], entry[1])
    )
  )
}

function readVariable(
  variable: Variable<unknown>,
  command: Command,
  env: Readonly<Record<string, string>>,
  mistakes: Mistake[],
  warnings: string[]
): unknown {
  const names = [variable.name, ...(variable.aliases ?? [])]
  const name = names.find(candidate => env[candidate] !== undefined)
  if (name !== undefined && name !== variable.name)
    warnings.push(`${name} works, but ${variable.name} is the name to use`)
  const fallback = typeof variable.default === 'object' ? variable.default[command] : variable.default
  const text = name === undefined ? fallback : env[name]
  if (text === undefined) {
    if (variable.required)
      mistakes.push({ variable: variable.name, advice: `is required (${variable.doc.split('. ')[0] ?? ''})` })
    return undefined
  }
  try {
    return variable.parse(text)
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    mistakes.push({
      variable: name ?? variable.name,
      value: withoutCredentials(text),
      advice: `has to be ${error.message}`
    })
    return undefined
  }
}

function unknownNames(env: Readonly<Record<string, string>>): Mistake[] {
  const known = Object.values(variables as Record<string, Variable<unknown>>).flatMap(({ name, aliases }) => [
    name,
    ...(aliases ?? [])
  ])
  return Object.keys(env)
    .filter(name => name.startsWith(OWN_PREFIX) && !known.includes(name))
    .map(variable => {
      const meant = nearest(variable, known)
      return {
        variable,
        advice: `is not a setting${meant === undefined ? '' : `; did you mean ${meant}?`} (see docs/configuration.md)`
      }
    })
}

function readConfigFile(
  path: string | undefined,
  readFile: ConfigSources['readFile'],
  mistakes: Mistake[]
): Record<string, string> {
  if (path === undefined) return {}
  try {
    return parseProperties(readFile(path)) as Record<string, string>
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    mistakes.push({
      variable: 'KAFKA_CONFIG_FILE',
      value: path,
      advice: `cannot be read (${code ?? 'not a properties file'})`
    })
    return {}
  }
}
