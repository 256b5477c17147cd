import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { readSettings, SettingsError, type ChecksProvider } from '../../webhook/settings/load.ts'
import type { Settings } from '../../webhook/settings/settings.ts'
import { InputError } from './input-error.ts'
import { sentence } from './sources.ts'

/** Where the settings come from: a file, or the two values that every settings file has. */
export type SettingsFrom = { readonly file: string } | { readonly image: string; readonly brokers: string }

/**
 * Loads the webhook's settings.
 * @throws {InputError} with every mistake in them
 */
export async function settingsFrom(from: SettingsFrom, checks: ChecksProvider): Promise<Settings> {
  const isFile = 'file' in from
  const text = isFile ? read(from.file) : stringify({ image: from.image, kafka: { brokers: from.brokers } })
  try {
    return await readSettings(text, checks)
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    const lines = error.message.split('\n')
    throw new InputError(lines.map(line => (isFile ? `${from.file}: ${line}` : asOption(line))).join('\n'), {
      cause: error
    })
  }
}

/** What to do for somebody who has no settings. */
export const WITHOUT_SETTINGS = `where are the webhook's settings? Give --settings FILE; the smallest file is
  image: registry.example/inference-logger:1.0
  kafka:
    brokers: kafka.example:9092
or give --image and --brokers instead of one`

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError(`${file}: ${sentence(error as NodeJS.ErrnoException)}`, { cause: error })
  }
}

function asOption(line: string): string {
  return line.replace(/^kafka\.brokers/, '--brokers').replace(/^image/, '--image')
}
