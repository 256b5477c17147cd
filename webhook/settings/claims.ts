import * as v from 'valibot'
import { nearest } from '../../sidecar/config/errors.ts'
import { ValueError } from '../../sidecar/config/units.ts'
import { isRecord, record } from '../pod.ts'
import { parseDiskSize } from './values.ts'

const MODES: readonly unknown[] = ['ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany']
const FIELDS = [
  'accessModes',
  'dataSource',
  'dataSourceRef',
  'resources',
  'selector',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
  'volumeName'
]

/**
 * A claim template as pods have it (`ephemeral.volumeClaimTemplate`), as far as a pod would otherwise be refused, or wait
 * for a volume that never comes.
 */
export const checkTemplate = v.rawTransform<unknown, Readonly<Record<string, unknown>>>(
  ({ dataset, addIssue, NEVER }) => {
    const { value } = dataset
    if (!isRecord(value)) {
      addIssue({
        message: value === null ? 'has no value' : 'has to be a mapping with spec, a PersistentVolumeClaim’s'
      })
      return NEVER
    }
    const mistakes = mistakesOf(value)
    for (const message of mistakes) addIssue({ message })
    return mistakes.length > 0 ? NEVER : value
  }
)

function mistakesOf(template: Readonly<Record<string, unknown>>): string[] {
  const { spec } = template
  if (!isRecord(spec)) return ['needs spec: that of a PersistentVolumeClaim']
  const { accessModes, volumeMode } = spec
  const mistakes = Object.keys(template)
    .filter(key => key !== 'spec' && key !== 'metadata')
    .map(key => `has ${key}, which is neither spec nor metadata`)
  for (const key of Object.keys(record(template['metadata']))) {
    if (key !== 'labels' && key !== 'annotations')
      mistakes.push(`has metadata.${key}: only labels and annotations may be`)
  }
  if (!Array.isArray(accessModes) || accessModes.length === 0 || !accessModes.every(mode => MODES.includes(mode))) {
    mistakes.push(`needs spec.accessModes: a list of ${MODES.join(', ')}`)
  }
  if (storageOf(template) === undefined) {
    mistakes.push('needs spec.resources.requests.storage: a size on a disk (512Mi, 1Gi or 2G)')
  }
  if (volumeMode !== undefined && volumeMode !== 'Filesystem') {
    mistakes.push('has spec.volumeMode that is not Filesystem: the journal is files')
  }
  // What Kubernetes may add later is taken; what is a letter off a field of today is not.
  for (const key of Object.keys(spec).filter(name => !FIELDS.includes(name))) {
    const meant = nearest(key, FIELDS)
    if (meant !== undefined) mistakes.push(`has spec.${key}; did you mean ${meant}?`)
  }
  return mistakes
}

/** @returns bytes that a template asks for; undefined when it is no quantity */
export function storageOf(template: Readonly<Record<string, unknown>>): number | undefined {
  const { storage } = record(record(record(template['spec'])['resources'])['requests'])
  try {
    return typeof storage === 'string' || typeof storage === 'number' ? parseDiskSize(String(storage)) : undefined
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    return undefined
  }
}
