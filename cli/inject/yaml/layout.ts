import { isMap, isSeq, visit, type Document, type Node } from 'yaml'
import { startOf, type Collection, type Geometry } from './geometry.ts'
import type { Style } from './render.ts'

/** How far maps and lists are indented: as their author does it, as near to the place as can be found. */
export function styleAt(place: Node, document: Document, geometry: Geometry): Style {
  const near = measured(place, geometry)
  const far = near.step === undefined || near.dashes === undefined ? measured(document.contents, geometry) : near
  return { step: near.step ?? far.step ?? 2, dashes: near.dashes ?? far.dashes ?? 0 }
}

/** True where keys have double quotes: what is added is then JSON, too. */
export function isJson(collection: Collection, document: Document, geometry: Geometry): boolean {
  const key = firstKey(collection) ?? firstKey(document.contents)
  return key !== undefined && geometry.text[startOf(key)] === '"'
}

/** True of a map or list with a line for each of its items. */
export function isBlock(node: unknown): node is Collection {
  return (isMap(node) || isSeq(node)) && !node.flow
}

/** True of `{}` and `[]`. */
export function isEmptyFlow(node: unknown): node is Collection {
  return (isMap(node) || isSeq(node)) && node.flow === true && node.items.length === 0
}

function firstKey(node: Node | null): Node | undefined {
  let found: Node | undefined
  if (node !== null) {
    visit(node, {
      Pair: (_, { key }) => {
        found = key as Node
        return visit.BREAK
      }
    })
  }
  return found
}

function measured(node: Node | null, geometry: Geometry): { step?: number; dashes?: number } {
  const found: { step?: number; dashes?: number } = {}
  if (node === null) return found
  visit(node, {
    Pair: (_, { key, value }) => {
      if (!isBlock(value)) return undefined
      const columns = geometry.column(startOf(value)) - geometry.column(startOf(key as Node))
      if (isSeq(value)) found.dashes ??= columns
      else found.step ??= columns
      return found.step !== undefined && found.dashes !== undefined ? visit.BREAK : undefined
    }
  })
  return found
}
