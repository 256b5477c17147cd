import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from './input-error.ts'

/** The text of a file. */
export interface Source {
  /** As the user may call it; `-` is standard input. */
  readonly file: string
  readonly text: string
}

const ENDINGS = /\.(?:ya?ml|json)$/

/**
 * Reads files, the YAML and JSON files of folders in the order of their names, and standard input for `-`; each once.
 * @param readInput gives the bytes of standard input
 * @throws {InputError} with every file that cannot be read
 */
export async function readSources(files: readonly string[], readInput: () => Promise<Buffer>): Promise<Source[]> {
  const mistakes: string[] = []
  const sources: Source[] = []
  for (const file of new Set(files)) {
    try {
      for (const path of pathsOf(file)) {
        sources.push({ file: path, text: decoded(path, path === '-' ? await readInput() : readFileSync(path)) })
      }
    } catch (error) {
      mistakes.push(
        error instanceof InputError ? error.message : `${file}: ${sentence(error as NodeJS.ErrnoException)}`
      )
    }
  }
  if (mistakes.length > 0) throw new InputError(mistakes.join('\n'))
  return sources
}

const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'may not be read',
  EISDIR: 'is a folder'
}

/** What the operating system says about a file, for a person. */
export function sentence({ code = '', message }: NodeJS.ErrnoException): string {
  return SENTENCES[code] ?? `cannot be read (${message})`
}

function pathsOf(file: string): string[] {
  if (file === '-' || !statSync(file).isDirectory()) return [file]
  const names = readdirSync(file, { withFileTypes: true }).filter(
    entry => !entry.isDirectory() && ENDINGS.test(entry.name)
  )
  if (names.length === 0) throw new InputError(`${file}: there is no *.yaml, *.yml or *.json in the folder`)
  return names.map(({ name }) => join(file, name)).sort()
}

function decoded(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new InputError(`${file}: is no text in UTF-8`)
  }
}
