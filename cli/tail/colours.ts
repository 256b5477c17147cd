/** Marks text up for a terminal; each function returns the text itself where colours are off. */
export interface Colours {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

/** Makes {@link Colours}. Reset codes end one attribute only, so that marks can be nested. */
export function coloursOf(enabled: boolean): Colours {
  const mark =
    (on: number, off: number) =>
    (text: string): string =>
      enabled && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text
  return {
    bold: mark(1, 22),
    dim: mark(2, 22),
    red: mark(31, 39),
    green: mark(32, 39),
    yellow: mark(33, 39),
    cyan: mark(36, 39)
  }
}

/**
 * Whether a stream wants colours: a terminal, unless NO_COLOR (no-color.org) or TERM=dumb says otherwise.
 * @param stream standard output or standard error
 */
export function wantsColours(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  const { NO_COLOR: noColor } = env
  return stream.isTTY && (noColor === undefined || noColor === '') && stream.hasColors(16, env)
}
