import { isRecord } from '../pod.ts'
import { formatPath, type Path } from './yaml.ts'

/**
 * What a file says where it is right so far: what looks at several settings together compares only those, so that all
 * mistakes are found at once and none twice.
 */
export class View {
  readonly #root: unknown
  readonly #wrong: readonly string[]

  /** @param wrong paths of the mistakes so far, as {@link formatPath} writes them */
  constructor(root: unknown, wrong: readonly string[]) {
    this.#root = root
    this.#wrong = wrong
  }

  /** Whether something at this path, around it or in it is a mistake already. */
  isWrong(...path: Path): boolean {
    const here = formatPath(path)
    return this.#wrong.some(wrong => within(wrong, here) || within(here, wrong))
  }

  /** @returns undefined when there is none, or it is wrong itself */
  value(...path: Path): unknown {
    const here = formatPath(path)
    if (this.#wrong.some(wrong => within(here, wrong))) return undefined
    let value = this.#root
    for (const key of path) {
      if (!isRecord(value) || !Object.hasOwn(value, key)) return undefined
      value = value[key]
    }
    return value ?? undefined
  }

  text(...path: Path): string | undefined {
    const value = this.value(...path)
    return typeof value === 'string' ? value : undefined
  }

  /** The texts of a list. */
  list(...path: Path): string[] {
    const value = this.value(...path)
    return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
  }

  /** The texts of a mapping that are right. */
  texts(...path: Path): [string, string][] {
    const value = this.value(...path)
    if (!isRecord(value)) return []
    return Object.keys(value).flatMap(key => {
      const item = this.text(...path, key)
      return item === undefined ? [] : [[key, item]]
    })
  }
}

/** Whether a path is another one, or something in it. */
export function within(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`)
}
