import {
  parseAllDocuments,
  type Document,
  type Node,
  type ParseOptions,
  type SchemaOptions,
  type DocumentOptions,
  type ScalarTag
} from 'yaml'
import { InputError } from './input-error.ts'
import type { Source } from './sources.ts'
import { startOf, Geometry } from './yaml/geometry.ts'

/** A file of manifests, parsed. */
export interface Manifest {
  readonly file: string
  readonly geometry: Geometry
  readonly documents: readonly ManifestDocument[]
}

/** One document of a file. */
export interface ManifestDocument {
  readonly yaml: Document
  /** What it says, aliases and merge keys resolved; null for one with nothing but comments. */
  readonly value: unknown
}

/** As kubectl reads YAML: version 1.1 (`yes` is a boolean, 0644 octal), but without times and numbers in base 60. */
const OPTIONS: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: tags => tags.filter(tag => typeof tag !== 'object' || !isOnlyYaml11(tag as ScalarTag))
}

function isOnlyYaml11(tag: ScalarTag): boolean {
  return tag.format === 'TIME' || tag.tag === 'tag:yaml.org,2002:timestamp'
}

/** More than anybody writes, and few enough that aliases of aliases do not fill the memory. */
const MAX_ALIASES = 10_000

/**
 * Parses YAML or JSON.
 * @throws {InputError} with everything that does not parse, each with its line and column
 */
export function parseManifest({ file, text }: Source): Manifest {
  const geometry = new Geometry(text)
  const parsed = parseAllDocuments(text, OPTIONS)
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : []
  const mistakes = documents.flatMap(({ errors }) =>
    errors.map(({ message, pos }) => at(file, geometry, pos[0], firstLine(message)))
  )
  if (mistakes.length > 0) throw new InputError([...new Set(mistakes)].join('\n'))
  return { file, geometry, documents: documents.map(yaml => ({ yaml, value: valueOf(file, geometry, yaml) })) }
}

/** A sentence about a place in a file. */
export function at(file: string, geometry: Geometry, offset: number, message: string): string {
  const { line, column } = geometry.position(offset)
  return `${file}:${line}:${column}: ${message}`
}

/** The parser's message ends with the place and draws it below. */
function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')
}

function valueOf(file: string, geometry: Geometry, document: Document): unknown {
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}`, { cause: error })
  }
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return value
  throw new InputError(at(file, geometry, startOf(document.contents as Node), 'is no Kubernetes object'))
}
