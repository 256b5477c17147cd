import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyPatch, type Operation } from 'rfc6902'
import { parseManifest } from '../../../cli/inject/manifest.ts'
import { DocumentEdit } from '../../../cli/inject/yaml/edit.ts'
import { spliced, splices } from '../../../cli/inject/yaml/splice.ts'
import { added, yamlFile } from './yaml-files.ts'

/** All maps and lists of a value, as JSON Pointers with what they are. */
function containers(value: unknown, pointer = ''): { pointer: string; value: object }[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.entries(value).flatMap(([key, child]) =>
    containers(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
  )
  return [{ pointer, value }, ...inner]
}

/** An operation somewhere in a value: `where` and `what` choose, each from 0 to 1. */
function operationIn(value: unknown, where: number, what: number, brought: unknown): Operation {
  const all = containers(value)
  const { pointer, value: container } = all[Math.floor(where * all.length)] ?? { pointer: '', value: {} }
  if (Array.isArray(container)) {
    const index = Math.floor(what * (container.length + 2))
    return { op: 'add', path: `${pointer}/${index > container.length ? '-' : index}`, value: brought }
  }
  const keys = Object.keys(container)
  const scalars = keys.filter(key => containers((container as Record<string, unknown>)[key]).length === 0)
  const replaced = scalars[Math.floor(what * scalars.length)]
  if (what > 0.6 && replaced !== undefined) {
    return { op: 'replace', path: `${pointer}/${replaced.replaceAll('/', '~1')}`, value: brought }
  }
  return { op: 'add', path: `${pointer}/new${keys.length}`, value: brought }
}

function edited(
  text: string,
  wanted: readonly (readonly [number, number, number, unknown])[]
): { text: string; meant: unknown[]; operations: Operation[] } {
  const { documents, geometry } = parseManifest({ file: 'x', text })
  const operations: Operation[] = []
  const edits = documents.map(({ yaml }) => new DocumentEdit(yaml, geometry))
  const meant = documents.map(({ value }) => JSON.parse(JSON.stringify(value)) as unknown)
  for (const [which, where, what, brought] of wanted) {
    const index = Math.floor(which * documents.length)
    const operation = operationIn(meant[index], where, what, brought)
    edits[index]?.apply([operation], [])
    assert.deepEqual(applyPatch(meant[index], [structuredClone(operation)]), [null])
    operations.push(operation)
  }
  return { text: spliced(text, edits.flatMap(splices)), meant, operations }
}

const unit = fc.double({ min: 0, max: 0.999, noNaN: true })
const wanted = fc.array(fc.tuple(unit, unit, unit, added), { minLength: 1, maxLength: 8 })

test('whatever is added or replaced, the file says afterwards just what the patch makes of it', () => {
  fc.assert(
    fc.property(yamlFile, wanted, (text, operations) => {
      const result = edited(text, operations)
      const written = parseManifest({ file: 'x', text: result.text }).documents.map(({ value }) => value)
      assert.deepEqual(JSON.parse(JSON.stringify(written)), result.meant)
    }),
    { numRuns: 120 }
  )
})

test('where a patch only adds, every character of the file is still there, and in its order', () => {
  fc.assert(
    fc.property(yamlFile, wanted, (text, operations) => {
      const result = edited(
        text,
        operations.map(([a, b, c, d]) => [a, b, c * 0.6, d] as const)
      )
      assert.ok(isWithin(text.replaceAll(/[ \t]*(?:\{\s*\}|\[\s*\]|~)|[ \t]+(?=\r?$)/gm, ''), result.text))
    }),
    { numRuns: 60 }
  )
})

/** True when the text can be made by leaving out some of the other's characters. */
function isWithin(text: string, other: string): boolean {
  let index = 0
  for (const character of other) if (character === text[index]) index++
  return index === text.length
}
