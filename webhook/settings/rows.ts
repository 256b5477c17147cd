import { getDescription, type GenericSchema } from 'valibot'
import { schema } from './schema.ts'
import { entriesOf } from './unknown-keys.ts'
import { formatPath, type Path } from './yaml.ts'

/** A line of docs/webhook-settings.md. */
export interface SettingRow {
  readonly path: string
  readonly required: boolean
  /** As it would be written. */
  readonly default: string | undefined
  readonly doc: string
}

/** Every setting that has a description, in the order of the schema. */
export function settingRows(of: GenericSchema = schema, path: Path = []): SettingRow[] {
  const doc = getDescription(of)
  if (doc !== undefined) {
    const { type, default: fallback } = of as GenericSchema & { readonly default?: unknown }
    const text = typeof fallback === 'string' ? fallback : undefined
    return [{ path: formatPath(path), required: type !== 'nullish', default: text, doc }]
  }
  return Object.entries(entriesOf(of) ?? {}).flatMap(([key, inner]) => settingRows(inner, [...path, key]))
}
