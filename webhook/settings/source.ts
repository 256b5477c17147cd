import { readFileSync } from 'node:fs'
import { watchFiles, type WatchOptions } from '../files/watch.ts'
import type { ChecksProvider } from './checks.ts'
import { SettingsError, type SettingsMistake } from './errors.ts'
import { readSettings } from './load.ts'
import type { Settings } from './settings.ts'

/** The settings of a file, as it is now. */
export interface SettingsSource {
  /** The last that were right: a wrong file changes nothing. */
  readonly current: Settings
  /** Ends watching; `current` stays. */
  readonly stop: () => void
}

/** Who is told of what becomes of a file that changed. */
export interface SettingsSourceOptions {
  readonly checks?: ChecksProvider
  /** The file changed, and `current` is what it says. */
  readonly reloaded?: (settings: Settings) => void
  /** The file changed and is wrong, or is gone: `current` is what it was. */
  readonly refused?: (error: SettingsError) => void
  readonly watch?: WatchOptions
}

/**
 * Loads settings from a file and follows its changes.
 * @param path of a YAML file, such as one in a mounted ConfigMap
 * @throws {SettingsError} when the file cannot be read, or is wrong, at first
 */
export async function openSettings(path: string, options: SettingsSourceOptions = {}): Promise<SettingsSource> {
  const { checks, reloaded, refused } = options
  let current: Settings | undefined
  let stopped = false
  const load = async (): Promise<void> => {
    current = await readSettings(read(path), checks)
  }
  const reload = async (): Promise<void> => {
    if (stopped || current === undefined) return
    const failure = await load().then(
      () => undefined,
      (error: unknown) => (error instanceof SettingsError ? error : new SettingsError([unexpected(path, error)]))
    )
    // Stopped meanwhile: nobody is told any more.
    if (stopped) return
    if (failure === undefined) reloaded?.(current)
    else refused?.(failure)
  }
  let loading = Promise.resolve()
  // Begun before the first reading: a change in between is a reload. One after the other: what is read last is what counts.
  const changed = (): void => {
    loading = loading.then(reload, reload)
  }
  const unwatch = watchFiles([path], changed, options.watch)
  const stop = (): void => {
    stopped = true
    unwatch()
  }
  try {
    const first = load()
    loading = first
    await first
  } catch (error) {
    stop()
    throw error
  }
  return {
    get current() {
      return current as Settings
    },
    stop
  }
}

function unexpected(path: string, error: unknown): SettingsMistake {
  return { path, advice: `cannot be checked (${error instanceof Error ? error.message : String(error)})` }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new SettingsError([
      { path, advice: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'not a file'})` }
    ])
  }
}
