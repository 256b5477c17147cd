import { safeParse, type BaseIssue } from 'valibot'
import { withoutCredentials } from '../../sidecar/config/errors.ts'
import type { ChecksProvider, SettingsChecks } from './checks.ts'
import { environment, foreignNames, properties, secrets } from './environment.ts'
import { SettingsError, type SettingsMistake } from './errors.ts'
import { isRecord } from '../pod.ts'
import { schema, type ParsedSettings } from './schema.ts'
import type { MountedKey, Settings } from './settings.ts'
import { together } from './together.ts'
import { unknownKeys } from './unknown-keys.ts'
import { View, within } from './view.ts'
import { formatPath, parseYaml, type Path } from './yaml.ts'

export { SettingsError, type SettingsMistake } from './errors.ts'
export type { ChecksProvider, SettingsChecks } from './checks.ts'

/**
 * Reads settings from YAML.
 * @param text the file's
 * @param checks librdkafka's opinion on `kafka.config`; without it, properties are taken as they are
 * @returns deeply frozen
 * @throws {SettingsError} with every mistake in it, and nothing else
 */
export function loadSettings(text: string, checks?: SettingsChecks): Settings {
  return settingsOf(parse(text), checks)
}

/**
 * Reads settings from YAML, and loads what checks librdkafka's properties if there are some.
 * @throws {SettingsError} with every mistake in it
 */
export async function readSettings(text: string, checks?: ChecksProvider): Promise<Settings> {
  const value = parse(text)
  const asked = checks !== undefined && new View(value, []).texts('kafka', 'config').length > 0
  return settingsOf(value, asked ? await checks() : undefined)
}

/** What PersistentVolumeClaims are made of is Kubernetes' own YAML, with its types. */
function isKubernetes(path: Path): boolean {
  return path[0] === 'journal' && path[1] === 'claimTemplates'
}

function parse(text: string): unknown {
  const { value, mistakes } = parseYaml(text, isKubernetes)
  if (mistakes.length > 0) throw new SettingsError(mistakes)
  if (value !== null && !isRecord(value)) throw new SettingsError([{ path: 'the file', advice: 'has to be a mapping' }])
  return value ?? {}
}

function settingsOf(value: unknown, checks: SettingsChecks | undefined): Settings {
  const mistakes: SettingsMistake[] = []
  // What is wrong already is not looked at again: the first sentence is the cause.
  const add = (find: (view: View) => readonly SettingsMistake[]): void => {
    const wrong = mistakes.map(({ path }) => path)
    mistakes.push(...find(new View(value, wrong)).filter(({ path }) => !wrong.some(known => within(path, known))))
  }
  const { issues, output } = safeParse(schema, value)
  add(() => unknownKeys(schema, value))
  add(() => (issues ?? []).map(mistakeOf))
  add(secrets)
  add(foreignNames)
  if (checks !== undefined) add(view => properties(view, checks))
  add(environment)
  add(together)
  if (mistakes.length > 0) throw new SettingsError(mistakes)
  return deepFreeze(fromParsed(output as ParsedSettings))
}

function mistakeOf({ path, input, message, type }: BaseIssue<unknown>): SettingsMistake {
  const keys = (path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)))
  const mistake = { path: formatPath(keys), advice: message }
  const last = path?.at(-1)
  const isKey = last !== undefined && 'origin' in last && last.origin === 'key'
  // Shown is what a parser did not like: a key is in the path, and what is of the wrong kind may be anything.
  if (typeof input !== 'string' || type !== 'raw_transform' || isKey) return mistake
  return { ...mistake, value: withoutCredentials(input) }
}

function fromParsed(parsed: ParsedSettings): Settings {
  const { kafka, annotations, journal, gracePeriod, securityContext, defaults } = parsed
  return {
    image: parsed.image,
    imagePullSecrets: parsed.imagePullSecrets,
    kubernetesVersion: parsed.kubernetesVersion ?? undefined,
    kserveVersion: parsed.kserveVersion ?? undefined,
    port: parsed.port,
    metricsPort: parsed.metricsPort,
    kafka: {
      brokers: kafka.brokers,
      configSecret: kafka.configSecret ? { kind: 'secret', ...kafka.configSecret } : undefined,
      ca: kafka.ca ? certificateFrom(kafka.ca) : undefined,
      config: kafka.config
    },
    defaults,
    annotations,
    journal: {
      sizeLimit: journal.sizeLimit ?? undefined,
      claimTemplates: journal.claimTemplates,
      fsGroup: journal.fsGroup ?? undefined
    },
    gracePeriod: {
      raise: gracePeriod.raise,
      agentDrainSeconds: gracePeriod.agentDrain,
      flushSeconds: gracePeriod.flush
    },
    securityContext: {
      runAsUser: securityContext.runAsUser ?? undefined,
      runAsGroup: securityContext.runAsGroup ?? undefined
    },
    env: parsed.env,
    ignoredNamespaces: parsed.ignoredNamespaces
  }
}

function certificateFrom(from: NonNullable<ParsedSettings['kafka']['ca']>): MountedKey {
  const { secret, configMap, key } = from
  return { kind: secret ? 'secret' : 'configMap', name: secret ?? configMap ?? '', key }
}

function deepFreeze<T>(value: T): T {
  if (Array.isArray(value) || isRecord(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
