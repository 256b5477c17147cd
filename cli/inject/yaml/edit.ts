import type { Operation } from 'rfc6902'
import { isAlias, isMap, isSeq, visit, type Document, type Node, type YAMLMap, type YAMLSeq } from 'yaml'
import { hasMerge, pairOf, startOf, type Geometry, type KeyValue } from './geometry.ts'

/** A change that cannot be written into the text without changing something else with it. */
export class EditRefused extends Error {
  /** Where in the text. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** An item of a list as it will be: one that the text has, or a new one. */
export type Item = { readonly node: Node } | { readonly value: unknown }

/** What becomes of one map. */
export interface MapChange {
  readonly added: Map<string, unknown>
  readonly replaced: Map<KeyValue, unknown>
}

/** Where an operation's path has come to: in the text, or in something new. */
type Place = { readonly node: Node } | { readonly value: unknown }

/**
 * Collects what the operations of patches do to a document, which stays as it was parsed: splices() then writes them
 * into its text.
 */
export class DocumentEdit {
  readonly document: Document
  readonly geometry: Geometry
  readonly maps = new Map<YAMLMap, MapChange>()
  readonly lists = new Map<YAMLSeq, Item[]>()

  constructor(document: Document, geometry: Geometry) {
    this.document = document
    this.geometry = geometry
  }

  /**
   * Takes the operations of a patch, which may build on each other.
   * @param path from the document's root to the object that they are about
   * @throws {EditRefused} when an alias or a merge key shares what they would change
   */
  apply(operations: readonly Operation[], path: readonly (string | number)[]): void {
    for (const operation of operations) {
      const { op } = operation
      if (op !== 'add' && op !== 'replace') throw new Error(`a patch with "${op}" cannot be written into YAML`)
      // A later operation may add to a value that an earlier one has brought.
      const value = structuredClone(operation.value as unknown)
      this.#set([...path.map(String), ...pointerSteps(operation.path)], value, op)
    }
  }

  #set(steps: readonly string[], value: unknown, op: 'add' | 'replace'): void {
    const last = steps.at(-1) ?? ''
    let place: Place = { node: this.document.contents as Node }
    for (const step of steps.slice(0, -1)) place = this.#step(place, step)
    if ('value' in place) return setIn(place.value, last, value, op)
    this.#checkShared(place.node)
    if (isMap(place.node)) this.#setKey(place.node, last, value)
    else if (isSeq(place.node) && op === 'add') {
      const items = this.#items(place.node)
      items.splice(last === '-' ? items.length : Number(last), 0, { value })
    } else throw new Error(`${op} cannot be written at /${steps.join('/')}`)
  }

  #step(place: Place, step: string): Place {
    if ('value' in place) return { value: (place.value as Readonly<Record<string, unknown>>)[step] }
    const { node } = place
    this.#checkShared(node)
    if (isSeq(node)) {
      const item = this.#items(node)[Number(step)]
      if (item !== undefined) return item
    }
    if (isMap(node)) {
      const pair = pairOf(node, step)
      const change = this.maps.get(node)
      if (pair && change?.replaced.has(pair)) return { value: change.replaced.get(pair) }
      if (pair?.value) return { node: pair.value }
      if (change?.added.has(step)) return { value: change.added.get(step) }
      if (hasMerge(node)) {
        throw new EditRefused(`${step} comes from a merge key (<<) and is not only this object’s`, startOf(node))
      }
    }
    throw new Error(`the document has no ${step} where the patch wants it`)
  }

  #setKey(map: YAMLMap, key: string, value: unknown): void {
    let change = this.maps.get(map)
    if (!change) this.maps.set(map, (change = { added: new Map(), replaced: new Map() }))
    const pair = pairOf(map, key)
    if (!pair) {
      change.added.set(key, value)
      return
    }
    // What an alias stands for stays; only the alias goes.
    if (pair.value && !isAlias(pair.value)) this.#checkShared(pair.value)
    change.replaced.set(pair, value)
  }

  #items(list: YAMLSeq): Item[] {
    let items = this.lists.get(list)
    if (!items) this.lists.set(list, (items = list.items.map(item => ({ node: item as Node }))))
    return items
  }

  /** Refuses what would also change at another place. */
  #checkShared(node: Node): void {
    if (isAlias(node)) {
      const message = `*${node.source} stands for what is written elsewhere and is not only this object’s`
      throw new EditRefused(message, startOf(node))
    }
    if (node.anchor === undefined) return
    const use = this.#useOf(node)
    if (use === undefined) return
    const { line } = this.geometry.position(use)
    throw new EditRefused(`&${node.anchor} is used again in line ${line} and would change there, too`, startOf(node))
  }

  /** Where an alias of a node is. */
  #useOf(node: Node): number | undefined {
    let use: number | undefined
    visit(this.document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.document) !== node) return undefined
        use = startOf(alias)
        return visit.BREAK
      }
    })
    return use
  }
}

/** @returns the steps of a JSON Pointer (RFC 6901), unescaped */
export function pointerSteps(pointer: string): string[] {
  const steps = pointer.split('/').slice(1)
  return steps.map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Sets something in a value that is new itself. */
function setIn(container: unknown, key: string, value: unknown, op: 'add' | 'replace'): void {
  if (!Array.isArray(container)) (container as Record<string, unknown>)[key] = value
  else if (op === 'replace') container[Number(key)] = value
  else container.splice(key === '-' ? container.length : Number(key), 0, value)
}
