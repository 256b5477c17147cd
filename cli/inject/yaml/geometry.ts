import { isAlias, isCollection, isPair, isScalar, Scalar, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml'

/** A map or a list of a document that was parsed, with its place in the text. */
export type Collection = YAMLMap | YAMLSeq

/** A map's key and its value; null, or an empty scalar, where the text has no value. */
export type KeyValue = Pair<Node, Node | null>

/** Where lines begin and end in the text of a file, and how they end. */
export class Geometry {
  readonly text: string
  /** As the file's first line ends. */
  readonly eol: '\n' | '\r\n'

  constructor(text: string) {
    this.text = text
    this.eol = /\r?\n/.exec(text)?.[0] === '\r\n' ? '\r\n' : '\n'
  }

  /** Offset of the first character of the line that the offset is in. */
  lineStart(offset: number): number {
    const start = offset === 0 ? 0 : this.text.lastIndexOf('\n', offset - 1) + 1
    return start === 0 && this.text.startsWith('\uFEFF') ? 1 : start
  }

  /** Offset behind the last character of the line, before what ends it. */
  lineEnd(offset: number): number {
    const newline = this.text.indexOf('\n', offset)
    if (newline === -1) return this.text.length
    return this.text[newline - 1] === '\r' ? newline - 1 : newline
  }

  /** How many characters are before the offset on its line. */
  column(offset: number): number {
    return offset - this.lineStart(offset)
  }

  /** The blanks and tabs that the line of the offset begins with. */
  margin(offset: number): string {
    return /^[ \t]*/.exec(this.text.slice(this.lineStart(offset), offset))?.[0] ?? ''
  }

  /** Where a node begins that may have an anchor or a tag before its own text. */
  startWithProperties(start: number): number {
    const properties = /(?:[&!][^\s,[\]{}]*[ \t]+)+$/.exec(this.text.slice(this.lineStart(start), start))
    return start - (properties?.[0].length ?? 0)
  }

  /** Where the text of a value ends: before a comment, a comma, or the end of the line. */
  endOf(node: Node): number {
    if (isCollection(node) && !node.flow && node.items.length > 0) return this.endOfItem(node.items.at(-1))
    const [, end] = rangeOf(node)
    const isBlock = isScalar(node) && (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED)
    // A block scalar has the end of its last line in it, but for a file's last that has none.
    return isBlock && this.text[end - 1] === '\n' ? end - 1 : end
  }

  /** Where an item of a list or map ends. */
  endOfItem(item: unknown): number {
    if (!isPair(item)) return this.endOf(item as Node)
    const { key, value } = item as KeyValue
    return this.endOf(isEmptyValue(value) ? key : value)
  }

  /** Line and column as an editor counts them, from 1. */
  position(offset: number): { line: number; column: number } {
    return { line: this.text.slice(0, offset).split('\n').length, column: this.column(offset) + 1 }
  }
}

/** Where a node's own text begins: behind its anchor and its tag. */
export function startOf(node: Node): number {
  return rangeOf(node)[0]
}

/** Where an item of a list or map begins: a pair begins with its key. */
export function startOfItem(item: unknown): number {
  return startOf(isPair(item) ? (item as KeyValue).key : (item as Node))
}

/** True of a value that is not there, as in `annotations:`. */
export function isEmptyValue(value: Node | null): value is null {
  if (value === null) return true
  return isScalar(value) && value.value === null && startOf(value) === rangeOf(value)[1]
}

/** The pair of a map that has the key. */
export function pairOf(map: YAMLMap, name: string): KeyValue | undefined {
  return map.items.find(({ key }) => nameOf(key) === name) as KeyValue | undefined
}

/** True of a map that takes keys from another one (`<<: *other`). */
export function hasMerge(map: YAMLMap): boolean {
  return map.items.some(({ key, value }) => nameOf(key) === '<<' && (isAlias(value) || isCollection(value)))
}

function nameOf(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined
  // `<<` is a symbol where the schema has merge keys.
  return key.source ?? String(key.value)
}

function rangeOf(node: Node): readonly [number, number, number] {
  if (!node.range) throw new Error('a node that was not parsed has no place in the text')
  return node.range
}
