import { InputError } from './input-error.ts'
import { at, parseManifest, type Manifest } from './manifest.ts'
import { isSameJson, patchedValue, type Reviewed } from './review.ts'
import { DocumentEdit, EditRefused } from './yaml/edit.ts'
import { spliced, splices } from './yaml/splice.ts'

/**
 * The files' text with the patches written into it; everything else stays as it is, byte for byte.
 * @returns one stream of documents
 * @throws {InputError} when an alias shares what would be changed
 */
export function yamlOutput(manifests: readonly Manifest[], reviewed: readonly Reviewed[]): string {
  const texts = manifests.map(manifest => patchedText(manifest, reviewed))
  if (texts.length === 1) return texts[0] ?? ''
  return texts.map((text, index) => separated(text, manifests[index])).join('')
}

function patchedText(manifest: Manifest, reviewed: readonly Reviewed[]): string {
  const { file, geometry, documents } = manifest
  const changes = documents.flatMap(document => {
    const edit = new DocumentEdit(document.yaml, geometry)
    for (const one of reviewed) if (one.document === document) applyTo(edit, one)
    return splices(edit)
  })
  if (changes.length === 0) return geometry.text
  const text = spliced(geometry.text, changes)
  const written = parseManifest({ file, text }).documents
  const isRight =
    written.length === documents.length &&
    documents.every((document, index) => isSameJson(written[index]?.value, patchedValue(document, reviewed)))
  if (!isRight) {
    throw new InputError(`${file}: the sidecar cannot be written into this YAML as it is laid out; use --output json`)
  }
  return text
}

function applyTo(edit: DocumentEdit, { file, object, patch }: Reviewed): void {
  try {
    edit.apply(patch, object.path)
  } catch (error) {
    if (!(error instanceof EditRefused)) throw error
    const message = `${object.kind} ${object.name}: ${error.message}; write it out, or use --output json, which does`
    throw new InputError(at(file, edit.geometry, error.offset, message), { cause: error })
  }
}

/** A file's text as a part of a stream of several. */
function separated(text: string, manifest: Manifest | undefined): string {
  const hasStart = manifest?.documents[0]?.yaml.directives?.docStart === true
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`
  const body = whole.replace(/^\uFEFF/, '')
  if (body.startsWith('%')) return `...\n${body}`
  return hasStart ? body : `---\n${body}`
}
