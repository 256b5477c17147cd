import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type YAMLMap
} from 'yaml'
import type { SettingsMistake } from './errors.ts'

/** Where in the file, from the top. */
export type Path = readonly (string | number)[]

/** `journal.claimTemplates.fast`, `imagePullSecrets[0]`, or `the file` */
export function formatPath(path: Path): string {
  if (path.length === 0) return 'the file'
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const name = part === '' ? '""' : part
    return text === '' ? name : `${text}.${name}`
  }, '')
}

/** What a file of settings says, and what is wrong with it as YAML. */
export interface YamlFile {
  /** Mappings, lists, texts and null; undefined where the YAML is broken. */
  readonly value: unknown
  readonly mistakes: readonly SettingsMistake[]
}

/** Settings are neither deep nor many: more is an alias that multiplies, or that stands in itself. */
const MOST_DEPTH = 30
const MOST_NODES = 20_000
const TOO_DEEP: SettingsMistake = {
  path: 'the file',
  advice: 'is too large or nested too deeply, or has an alias (*) that stands in itself'
}

/**
 * Parses YAML, and takes plain values as they are written: `1.30` is the text `1.30` and not the number 1.3. Errors name
 * lines and columns, and never show the line: it may have a password in it.
 * @param typed tells below which paths values are what YAML says: numbers, booleans
 */
export function parseYaml(text: string, typed: (path: Path) => boolean): YamlFile {
  const lines = new LineCounter()
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  // Composing calls itself for every level, and at the end of the stack V8 may abort instead of throwing.
  if (depthOf(tokens) > MOST_DEPTH) return { value: undefined, mistakes: [TOO_DEEP] }
  const [document, another] = new Composer({ uniqueKeys: false }).compose(tokens, true, text.length)
  if (document === undefined || another !== undefined) {
    return { value: undefined, mistakes: [{ path: 'the file', advice: 'has to be a single document (---)' }] }
  }
  const mistakes = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0])
    // The library's sentences, without what they quote.
    return { path: `line ${line}, column ${col}`, advice: message.replace(/: .*$/s, '') }
  })
  if (mistakes.length > 0) return { value: undefined, mistakes }
  const walk = new Walk(document, lines, typed)
  const value = walk.read(document.contents, [])
  return { value, mistakes: walk.mistakes }
}

/** How deep collections stand in each other. */
function depthOf(tokens: readonly CST.Token[]): number {
  let deepest = 0
  let level: readonly CST.Token[] = tokens
  while (level.length > 0 && deepest <= MOST_DEPTH) {
    deepest += 1
    level = level.flatMap(token => {
      if (token.type === 'document') return token.value ?? []
      return 'items' in token ? token.items.flatMap(({ key, value }) => [key ?? [], value ?? []].flat()) : []
    })
  }
  return deepest
}

class Walk {
  readonly mistakes: SettingsMistake[] = []
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #typed: (path: Path) => boolean
  #nodes = 0

  constructor(document: Document, lines: LineCounter, typed: (path: Path) => boolean) {
    this.#document = document
    this.#lines = lines
    this.#typed = typed
  }

  read(node: unknown, path: Path): unknown {
    if (path.length > MOST_DEPTH || ++this.#nodes > MOST_NODES) return this.#tooMuch()
    if (isAlias(node)) {
      const target = node.resolve(this.#document)
      if (target !== undefined) return this.read(target, path)
      this.mistakes.push({ path: formatPath(path), advice: 'is an alias (*) of nothing' })
      return undefined
    }
    if (isMap(node)) return this.#mapping(node, path)
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]))
    if (!isScalar(node) || node.value === null) return null
    return this.#typed(path) ? node.value : textOf(node)
  }

  #mapping(node: YAMLMap, path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    const seen = new Map<string, number>()
    for (const { key, value } of node.items) {
      const line = this.#lineOf(key)
      const name = isScalar(key) ? textOf(key) : undefined
      if (name === undefined || /^(?:__proto__|constructor|prototype)$/.test(name)) {
        this.mistakes.push({ path: `line ${line}`, advice: 'has a key that cannot be one' })
        continue
      }
      const here = [...path, name]
      const before = seen.get(name)
      if (before !== undefined) {
        this.mistakes.push({ path: formatPath(here), advice: `is there twice, on lines ${before} and ${line}` })
        continue
      }
      seen.set(name, line)
      result[name] = this.read(value, here)
    }
    return result
  }

  #lineOf(node: unknown): number {
    const offset = (node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0
    return this.#lines.linePos(offset).line
  }

  #tooMuch(): undefined {
    if (!this.mistakes.includes(TOO_DEEP)) this.mistakes.push(TOO_DEEP)
    return undefined
  }
}

/** A plain value's own characters; what quotes or a block stand for. */
function textOf({ value, source, type }: { value: unknown; source?: string; type?: string }): string {
  return type === 'PLAIN' && source !== undefined ? source : String(value)
}
