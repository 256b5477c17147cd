import type { Node } from 'yaml'
import type { DocumentEdit } from './edit.ts'
import { startOf, startOfItem, type Collection } from './geometry.ts'
import { isBlock, isJson } from './layout.ts'
import { flowScalar, flowText, spacedJson } from './render.ts'
import type { Splice } from './splice.ts'

/** An item of a list, or with a key one of a map. */
export interface Entry {
  readonly key?: string
  readonly value: unknown
}

/** How entries are written into one collection. */
interface Manner {
  readonly text: (entry: Entry) => string
  readonly separator: string
}

/** Adds to `{…}` or `[…]` behind the first `before` of what is in it: on lines of their own where the others are. */
export function addToFlow(edit: DocumentEdit, node: Collection, before: number, entries: readonly Entry[]): Splice[] {
  const { geometry } = edit
  const { text, eol } = geometry
  const first: unknown = node.items[0]
  if (first === undefined) return [fill(edit, node, entries)]
  const start = startOfItem(first)
  const isOnLines = text.slice(startOf(node), start).includes('\n')
  const manner = isOnLines
    ? onLines(edit, node, geometry.margin(start))
    : onOneLine(edit, node, text.slice(startOf(node), geometry.endOf(node)))
  const texts = entries.map(manner.text)
  const next: unknown = node.items[before]
  if (next !== undefined) {
    const added = texts.map(one => one + manner.separator).join('')
    return [{ offset: geometry.startWithProperties(startOfItem(next)), length: 0, text: added }]
  }
  const end = geometry.endOfItem(node.items[before - 1])
  const rest = /^[ \t]*(,?)[ \t]*(?:#.*)?$/.exec(text.slice(end, geometry.lineEnd(end)))
  if (!isOnLines || rest === null)
    return [{ offset: end, length: 0, text: manner.separator + texts.join(manner.separator) }]
  // The comment behind what was the last stays there, and so does the comma that may be.
  const comma = rest[1] ?? ''
  const lines = eol + geometry.margin(start) + texts.join(manner.separator) + comma
  return [
    { offset: end, length: 0, text: comma === '' ? ',' : '' },
    { offset: geometry.lineEnd(end), length: 0, text: lines }
  ]
}

/** A map or list in one line, in the manner of where it comes to. */
export function flowOrJson({ document, geometry }: DocumentEdit, place: Collection, value: unknown): string {
  return isJson(place, document, geometry) ? spacedJson(value) : flowText(value)
}

/** Puts the first entries into `{}` or `[]`, whose brackets may be on two lines. */
function fill(edit: DocumentEdit, node: Collection, entries: readonly Entry[]): Splice {
  const { geometry, document } = edit
  const offset = startOf(node) + 1
  const length = geometry.endOf(node) - 1 - offset
  const root = document.contents as Node
  const whole = geometry.text.slice(startOf(root), geometry.endOf(root))
  const unit = isBlock(root) ? undefined : /\n([ \t]+)/.exec(whole)?.[1]
  if (unit === undefined || !isJson(node, document, geometry)) {
    const { text, separator } = onOneLine(edit, node, whole)
    return { offset, length, text: entries.map(text).join(separator) }
  }
  const outer = geometry.margin(offset)
  const { text, separator } = onLines(edit, node, outer + unit)
  const { eol } = geometry
  return { offset, length, text: `${eol}${outer}${unit}${entries.map(text).join(separator)}${eol}${outer}` }
}

function onLines({ geometry, document }: DocumentEdit, node: Collection, margin: string): Manner {
  const { eol } = geometry
  const separator = `,${eol}${margin}`
  if (!isJson(node, document, geometry)) return { text: yamlEntry, separator }
  const unit = margin.slice(geometry.margin(startOf(node)).length) || '  '
  return {
    text: ({ key, value }) => {
      const lines = JSON.stringify(value, null, unit).replaceAll('\n', eol + margin)
      return key === undefined ? lines : `${JSON.stringify(key)}: ${lines}`
    },
    separator
  }
}

function onOneLine({ geometry, document }: DocumentEdit, node: Collection, sample: string): Manner {
  if (!isJson(node, document, geometry)) return { text: yamlEntry, separator: ', ' }
  const isTight = !/[,:]\s/.test(sample)
  const json = isTight ? JSON.stringify : spacedJson
  const colon = isTight ? ':' : ': '
  return {
    text: ({ key, value }) => (key === undefined ? json(value) : `${JSON.stringify(key)}${colon}${json(value)}`),
    separator: isTight ? ',' : ', '
  }
}

function yamlEntry({ key, value }: Entry): string {
  return key === undefined ? flowText(value) : `${flowScalar(key)}: ${flowText(value)}`
}
