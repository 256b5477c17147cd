import { isNode } from 'yaml'
import { record } from '../../webhook/pod.ts'
import { at, type Manifest, type ManifestDocument } from './manifest.ts'
import { objectsOf, type ManifestObject } from './workloads.ts'
import { startOf } from './yaml/geometry.ts'

/**
 * Finds labels and annotations of pods that are no text, such as `true` without quotes: Kubernetes would refuse them, and
 * the webhook would never see them.
 * @returns a sentence each, with its place
 */
export function mistypedTexts(manifest: Manifest): string[] {
  return manifest.documents.flatMap(document =>
    objectsOf(document.value).flatMap(object => mistypedIn(manifest, document, object))
  )
}

function mistypedIn(manifest: Manifest, document: ManifestDocument, object: ManifestObject): string[] {
  const { kind, name, pod } = object
  if (!pod) return []
  const metadata = record(record(pod.pod)['metadata'])
  return (['labels', 'annotations'] as const).flatMap(of =>
    Object.entries(record(metadata[of]))
      .filter(([, value]) => typeof value !== 'string' && value !== null)
      .map(([key, value]) => {
        const node = document.yaml.getIn([...object.path, ...pod.path, 'metadata', of, key], true)
        const advice =
          typeof value === 'object' ? 'has to be text' : `has to be text: "${JSON.stringify(value)}", in quotes`
        const message = `${kind} ${name}: the ${of.slice(0, -1)} ${key} ${advice}`
        return isNode(node)
          ? at(manifest.file, manifest.geometry, startOf(node), message)
          : `${manifest.file}: ${message}`
      })
  )
}
