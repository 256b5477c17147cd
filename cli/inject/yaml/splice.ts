import { isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml'
import type { DocumentEdit, Item } from './edit.ts'
import { addToFlow, flowOrJson } from './flow.ts'
import { isEmptyValue, startOf, startOfItem, type Collection, type Geometry, type KeyValue } from './geometry.ts'
import { isBlock, isEmptyFlow, styleAt } from './layout.ts'
import { blockLines, indented, isFilled, itemLines, pairLines, scalarLike } from './render.ts'

/** Text that replaces `length` characters at an offset. */
export interface Splice {
  readonly offset: number
  readonly length: number
  readonly text: string
}

/** What an edit changes in the text, the inner before the outer. */
export function splices(edit: DocumentEdit): Splice[] {
  return inNode(edit, edit.document.contents)
}

/** @returns the text with all splices made; those at the same place follow each other as they come */
export function spliced(text: string, changes: readonly Splice[]): string {
  let result = ''
  let done = 0
  for (const { offset, length, text: added } of [...changes].sort((a, b) => a.offset - b.offset)) {
    result += text.slice(done, offset) + added
    done = offset + length
  }
  return result + text.slice(done)
}

function inNode(edit: DocumentEdit, node: Node | null): Splice[] {
  if (isMap(node)) {
    const map = node
    const { replaced, added } = edit.maps.get(map) ?? {}
    const inner = (map.items as KeyValue[]).flatMap(pair =>
      replaced?.has(pair) ? replaceValue(edit, map, pair, replaced.get(pair)) : inValue(edit, map, pair)
    )
    return added && added.size > 0 ? [...inner, ...addPairs(edit, map, [...added])] : inner
  }
  if (!isSeq(node)) return []
  const items = edit.lists.get(node)
  const inner = node.items.flatMap(item => inNode(edit, item as Node | null))
  return items ? [...inner, ...addItems(edit, node, items)] : inner
}

function inValue(edit: DocumentEdit, map: YAMLMap, pair: KeyValue): Splice[] {
  // Nobody wants to read a container in one line: what was `[]` becomes a block.
  const contents = isBlock(map) && isEmptyFlow(pair.value) ? newContents(edit, pair.value) : undefined
  return contents === undefined ? inNode(edit, pair.value) : replaceValue(edit, map, pair, contents)
}

function newContents(edit: DocumentEdit, node: Collection): unknown {
  if (isSeq(node)) return edit.lists.get(node)?.map(item => ('value' in item ? item.value : undefined))
  const added = edit.maps.get(node)?.added
  return added && Object.fromEntries(added)
}

/** Gives a key another value. */
function replaceValue(edit: DocumentEdit, map: YAMLMap, { key, value: old }: KeyValue, value: unknown): Splice[] {
  const { geometry, document } = edit
  const isMissing = isEmptyValue(old)
  const start = isMissing ? geometry.text.indexOf(':', geometry.endOf(key)) + 1 : startWithTag(geometry, key, old)
  const end = isMissing ? start : geometry.endOf(old)
  const isNothing = isMissing || isEmptyFlow(old) || (isScalar(old) && old.value === null)
  if (isNothing && isBlock(map) && isFilled(value)) {
    const style = styleAt(map, document, geometry)
    const columns = geometry.column(startOf(key)) + (Array.isArray(value) ? style.dashes : style.step)
    const blanks = /[ \t]*$/.exec(geometry.text.slice(geometry.lineStart(start), start))?.[0].length ?? 0
    return [
      { offset: start - blanks, length: end - start + blanks, text: '' },
      newLines(geometry, geometry.lineEnd(end), indented(blockLines(value, style), columns))
    ]
  }
  const text = isFilled(value) ? flowOrJson(edit, map, value) : scalarLike(geometry.text[start], value)
  return [{ offset: start, length: end - start, text: isMissing ? ` ${text}` : text }]
}

/** A tag says what the old value is, and would be wrong for the new one. */
function startWithTag(geometry: Geometry, key: Node, value: Node): number {
  const start = startOf(value)
  const tag = /![^\s]*[ \t]+$/.exec(geometry.text.slice(geometry.endOf(key), start))
  return start - (tag?.[0].length ?? 0)
}

function addPairs(edit: DocumentEdit, map: YAMLMap, added: readonly (readonly [string, unknown])[]): Splice[] {
  const { geometry, document } = edit
  const entries = added.map(([key, value]) => ({ key, value }))
  if (map.flow) return addToFlow(edit, map, map.items.length, entries)
  const style = styleAt(map, document, geometry)
  const columns = geometry.column(startOfItem(map.items[0]))
  const lines = added.flatMap(([key, value]) => indented(pairLines(key, value, style), columns))
  return [newLines(geometry, geometry.lineEnd(geometry.endOfItem(map.items.at(-1))), lines)]
}

/** Adds a list's new items, those that follow each other at once. */
function addItems(edit: DocumentEdit, list: YAMLSeq, items: readonly Item[]): Splice[] {
  const runs = new Map<number, { value: unknown }[]>()
  let before = 0
  for (const item of items) {
    if ('node' in item) before++
    else runs.set(before, [...(runs.get(before) ?? []), item])
  }
  return [...runs].flatMap(([index, run]) =>
    list.flow ? addToFlow(edit, list, index, run) : [addBlockItems(edit, list, index, run)]
  )
}

function addBlockItems(
  edit: DocumentEdit,
  list: Collection,
  before: number,
  run: readonly { value: unknown }[]
): Splice {
  const { geometry, document } = edit
  const style = styleAt(list, document, geometry)
  const lines = run.flatMap(({ value }) => indented(itemLines(value, style), geometry.column(startOf(list))))
  const offset =
    before === 0 ? aboveFirst(geometry, list) : geometry.lineEnd(geometry.endOfItem(list.items[before - 1]))
  return newLines(geometry, offset, lines)
}

/** The end of the line above a list's first item and above the comments that belong to it. */
function aboveFirst(geometry: Geometry, list: Collection): number {
  let line = geometry.lineStart(startOf(list))
  for (;;) {
    const previous = geometry.lineStart(line - 1)
    if (!/^[ \t]*(?:#.*)?\r?$/.test(geometry.text.slice(previous, line - 1))) return geometry.lineEnd(line - 1)
    line = previous
  }
}

/** Lines behind the one that ends at the offset; a file's last line may have no end. */
function newLines({ eol }: Geometry, offset: number, lines: readonly string[]): Splice {
  return { offset, length: 0, text: lines.map(line => eol + line).join('') }
}
