import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_JOURNAL_DIR, variables } from '../../sidecar/config/variables.ts'
import { DEAD_LETTERS_FOLDER, isLetterFile } from '../../sidecar/dead-letters/names.ts'
import { UsageError } from './usage-error.ts'

/**
 * Where the files of dead letters are.
 * @param dir of the command line: the journal's directory, or a copy of the folder in it
 * @throws {UsageError} when there is no such directory
 */
export function letterFolder(dir: string | undefined, env: NodeJS.ProcessEnv): string {
  const directory = dir ?? (env[variables.journalDir.name] || DEFAULT_JOURNAL_DIR)
  try {
    const isFolder = readdirSync(directory).some(isLetterFile)
    return isFolder ? directory : join(directory, DEAD_LETTERS_FOLDER)
  } catch (error) {
    const { message } = error as Error
    throw new UsageError(`${directory} cannot be read (${message}): give the journal's directory as --dir`)
  }
}

/** Whether anything was ever set aside there. */
export function exists(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false
}
