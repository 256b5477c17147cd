import assert from 'node:assert/strict'

/** An operation of JSON Patch, as it comes over the network. */
export interface PatchOperation {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/**
 * Applies `add` and `replace` as RFC 6902 words them, and nothing else: written for these tests, so that a fault of the
 * library that makes the patches is not one of the library that checks them.
 * @returns a new value
 */
export function applied(value: unknown, operations: readonly PatchOperation[]): unknown {
  const result = structuredClone(value)
  for (const operation of operations) apply(result, operation)
  return result
}

function apply(root: unknown, { op, path, value }: PatchOperation): void {
  assert.ok(op === 'add' || op === 'replace', `${op} is not expected`)
  const steps = path
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = steps.pop()
  assert.ok(last !== undefined, 'the whole document is not replaced')
  let parent = root
  for (const step of steps) {
    assert.ok(
      typeof parent === 'object' && parent !== null && Object.hasOwn(parent, step),
      `${path}: there is no ${step}`
    )
    parent = (parent as Record<string, unknown>)[step]
  }
  assert.ok(typeof parent === 'object' && parent !== null, `${path} is in no object or array`)
  if (!Array.isArray(parent)) {
    if (op === 'replace') assert.ok(Object.hasOwn(parent, last), `${path} is not there to be replaced`)
    ;(parent as Record<string, unknown>)[last] = structuredClone(value)
    return
  }
  const index = last === '-' ? parent.length : Number(last)
  assert.ok(Number.isInteger(index) && index >= 0 && index <= parent.length, `${path} is outside the array`)
  if (op === 'add') parent.splice(index, 0, structuredClone(value))
  else parent[index] = structuredClone(value)
}
