import type { GenericSchema } from 'valibot'
import { nearest } from '../../sidecar/config/errors.ts'
import type { SettingsMistake } from './errors.ts'
import { isRecord } from '../pod.ts'
import { formatPath, type Path } from './yaml.ts'

/** What can be known of any schema of valibot. */
interface AnySchema extends GenericSchema {
  readonly entries?: Readonly<Record<string, AnySchema>>
  readonly wrapped?: AnySchema
}

/** @returns the schemas of a section's keys, through what makes it optional; undefined: it is no section */
export function entriesOf(schema: GenericSchema): Readonly<Record<string, GenericSchema>> | undefined {
  const { entries, wrapped } = schema as AnySchema
  return entries ?? (wrapped === undefined ? undefined : entriesOf(wrapped))
}

/**
 * Finds keys that a schema does not know, all of them, and lists where mappings have to be, which valibot takes for one.
 * Never with the values: a misspelt key may be that of a secret.
 */
export function unknownKeys(schema: GenericSchema, value: unknown, path: Path = []): SettingsMistake[] {
  const entries = entriesOf(schema)
  if (Array.isArray(value) && takesMapping(schema)) {
    return [{ path: formatPath(path), advice: 'has to be a mapping' }]
  }
  if (entries === undefined || !isRecord(value)) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key]
    const known = Object.hasOwn(entries, key) ? entries[key] : undefined
    return known === undefined
      ? [{ path: formatPath(here), advice: unknown(key, here, Object.keys(entries)) }]
      : unknownKeys(known, inner, here)
  })
}

function takesMapping(schema: GenericSchema): boolean {
  const { type, wrapped } = schema as AnySchema
  return wrapped === undefined ? type === 'object' || type === 'record' : takesMapping(wrapped)
}

function unknown(key: string, path: Path, known: readonly string[]): string {
  const what = path[0] === 'defaults' ? 'an annotation' : 'a setting'
  const bare = key.replace(/^inference-logger\.io\//, '')
  const meant = known.find(name => name.toLowerCase() === bare.toLowerCase()) ?? nearest(bare, known)
  return `is not ${what}${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
