import { isScalar, visit } from 'yaml'
import { isRecord } from '../../webhook/pod.ts'
import { InputError } from './input-error.ts'
import { at, type Manifest } from './manifest.ts'
import { patchedValue, type Reviewed } from './review.ts'
import { objectsOf } from './workloads.ts'
import { startOf } from './yaml/geometry.ts'

/**
 * All objects, patched, as one JSON text: the document as it is when it is the only one, else a List.
 * @throws {InputError} when a number is too large for it
 */
export function jsonOutput(manifests: readonly Manifest[], reviewed: readonly Reviewed[]): string {
  for (const manifest of manifests) checkNumbers(manifest)
  const values = manifests
    .flatMap(({ documents }) => documents)
    .filter(({ value }) => value !== null)
    .map(document => patchedValue(document, reviewed))
  return printed(values.length === 1 ? values[0] : { apiVersion: 'v1', kind: 'List', items: values.flatMap(flattened) })
}

/** The patches of all objects that have a pod: of one that is left as it is, an empty one. */
export function patchOutput(reviewed: readonly Reviewed[]): string {
  const patches = reviewed
    .filter(({ object }) => object.pod !== undefined)
    .map(({ object: { kind, name }, namespace, patch }) => ({ kind, name, namespace, patch }))
  return printed(patches)
}

function printed(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** kubectl does not look for lists in a list. */
function flattened(value: unknown): unknown[] {
  return isRecord(value) ? objectsOf(value).map(object => object.value) : [value]
}

function checkNumbers({ file, geometry, documents }: Manifest): void {
  for (const { yaml } of documents) {
    visit(yaml, {
      Scalar: (_, node) => {
        if (!isScalar(node) || !Number.isInteger(node.value) || Number.isSafeInteger(node.value)) return
        const message = `the number ${node.source ?? ''} cannot be written exactly; use --output yaml`
        throw new InputError(at(file, geometry, startOf(node), message))
      }
    })
  }
}
