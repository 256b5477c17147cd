/** One thing that is wrong with the configuration. */
export interface Mistake {
  /** The environment variable, or the file. */
  readonly variable: string
  /** As it was set, secrets masked; undefined when it is missing or unknown. */
  readonly value?: string | undefined
  /** What is allowed, or what to do. */
  readonly advice: string
}

/** Everything that is wrong with the configuration, at once. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(
      mistakes
        .map(
          ({ variable, value, advice }) =>
            `${variable}${value === undefined ? '' : `=${JSON.stringify(value)}`}: ${advice}`
        )
        .join('\n')
    )
    this.mistakes = mistakes
  }
}

const SECRET = /(?:password|secret|token|jaas|private|\.pem$|key\.pem|oauthbearer\.config|credential)/i

/** Stands for a secret wherever one would be shown. */
export const MASK = '********'

/**
 * Masks a librdkafka property's value when its name says that it is a secret.
 * @param property with dots (`sasl.password`)
 */
export function masked(property: string, value: string): string {
  return SECRET.test(property) ? MASK : value
}

/** Masks credentials that somebody wrote before a host (`user:password@host`), in a list separated by commas. */
export function withoutCredentials(text: string): string {
  return text.replace(/(^|,)[^,]*:[^,]*@/g, `$1${MASK}@`)
}

/**
 * The known name that was probably meant.
 * @returns undefined when nothing is near
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 5)) + 1
  for (const candidate of known) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
