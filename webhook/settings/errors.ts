/** One thing that is wrong with the settings. */
export interface SettingsMistake {
  /** Where, as one would say it: `kafka.brokers`, `env.HTTP_PROXY`; the file itself when it cannot be read. */
  readonly path: string
  /** As it was written; undefined when it is missing, unknown, or may be a secret. */
  readonly value?: string | undefined
  /** What is allowed, or what to do: continues a sentence that begins with the path. */
  readonly advice: string
}

/** Everything that is wrong with the settings, at once. */
export class SettingsError extends Error {
  readonly mistakes: readonly SettingsMistake[]

  constructor(mistakes: readonly SettingsMistake[]) {
    super(
      mistakes
        .map(({ path, value, advice }) => `${path}${value === undefined ? '' : `=${JSON.stringify(value)}`}: ${advice}`)
        .join('\n')
    )
    this.mistakes = mistakes
  }
}
