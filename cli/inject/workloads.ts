import { isRecord, record, text } from '../../webhook/pod.ts'

/** A place in a document: keys and indexes from its root. */
export type Path = readonly (string | number)[]

/** An object of a manifest. */
export interface ManifestObject {
  readonly kind: string
  readonly name: string
  /** Its own; undefined: it does not say. */
  readonly namespace: string | undefined
  /** Where it is in its document. */
  readonly path: Path
  readonly value: Readonly<Record<string, unknown>>
  /** Undefined: it is of a kind that makes no pods, or of one that we do not know. */
  readonly pod?: PodOf
}

/** The pod of an object, or the one that its template makes. */
export interface PodOf {
  /** From the object to the pod or its template. */
  readonly path: Path
  readonly pod: unknown
}

const TEMPLATE = ['spec', 'template'] as const

/** Kinds that have pods, with their API groups ('' is v1's) and the way to the pod. */
const KINDS: Readonly<Record<string, { groups: readonly string[]; path: Path }>> = {
  Pod: { groups: [''], path: [] },
  PodTemplate: { groups: [''], path: ['template'] },
  ReplicationController: { groups: [''], path: TEMPLATE },
  Deployment: { groups: ['apps', 'extensions'], path: TEMPLATE },
  StatefulSet: { groups: ['apps'], path: TEMPLATE },
  DaemonSet: { groups: ['apps', 'extensions'], path: TEMPLATE },
  ReplicaSet: { groups: ['apps', 'extensions'], path: TEMPLATE },
  Job: { groups: ['batch'], path: TEMPLATE },
  CronJob: { groups: ['batch'], path: ['spec', 'jobTemplate', ...TEMPLATE] }
}

/** The kinds that have pods, for messages. */
export const podKinds: readonly string[] = Object.keys(KINDS)

/** The objects of a document: those of a List, or of a list of one kind such as PodList, one by one. */
export function objectsOf(value: unknown): ManifestObject[] {
  return isRecord(value) ? objectsAt(value, [], {}) : []
}

/** A List has the kind of its items in its own, and they need not say it again. */
interface Implied {
  readonly kind?: string
  readonly apiVersion?: string
}

function objectsAt(value: Record<string, unknown>, path: Path, implied: Implied): ManifestObject[] {
  const kind = text(value['kind']) ?? implied.kind ?? ''
  const apiVersion = text(value['apiVersion']) ?? implied.apiVersion ?? ''
  const { items } = value
  if (Array.isArray(items) && /List$/.test(kind)) {
    const ofItems = kind === 'List' ? {} : { kind: kind.replace(/List$/, ''), apiVersion }
    return items.flatMap((item, index) => (isRecord(item) ? objectsAt(item, [...path, 'items', index], ofItems) : []))
  }
  const metadata = record(value['metadata'])
  const pod = podOf(value, kind, apiVersion)
  return [
    {
      kind,
      name: text(metadata['name']) ?? text(metadata['generateName']) ?? '',
      namespace: text(metadata['namespace']),
      path,
      value: text(value['kind']) === undefined && kind !== '' ? { apiVersion, kind, ...value } : value,
      ...(pod === undefined ? {} : { pod })
    }
  ]
}

function podOf(value: Record<string, unknown>, kind: string, apiVersion: string): PodOf | undefined {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
  if (!known || (apiVersion !== '' && !known.groups.includes(group))) return undefined
  const { path } = known
  if (path.length === 0) return { path, pod: { apiVersion: 'v1', kind: 'Pod', ...value } }
  const template = path.reduce<unknown>((inner, step) => record(inner)[step as string], value)
  if (!isRecord(template)) return undefined
  const { metadata, spec } = template
  return {
    path,
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      ...(metadata === undefined ? {} : { metadata }),
      ...(spec === undefined ? {} : { spec })
    }
  }
}
