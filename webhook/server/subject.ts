import { list, record, text } from '../pod.ts'

/** The controller of a pod: the object that made it, and to which an Event belongs. */
export interface Owner {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

/** Which pod it is about: all that is ever told of it. */
export interface Subject {
  readonly namespace: string
  /** undefined: the API server makes one from `generateName`. */
  readonly name: string | undefined
  readonly generateName: string | undefined
  /** undefined: nobody controls it. */
  readonly owner: Owner | undefined
}

/** Kubernetes' own limit for names; whoever sends longer ones does not fill the log with them. */
const MAX_NAME = 253

/**
 * Reads who a pod is, and nothing else.
 * @param namespace the request's: a pod that a controller makes may not name its own
 */
export function subjectOf(namespace: string, pod: unknown): Subject {
  const metadata = record(record(pod)['metadata'])
  return {
    namespace: clipped(namespace) ?? '',
    name: clipped(metadata['name']),
    generateName: clipped(metadata['generateName']),
    owner: controllerOf(metadata)
  }
}

function controllerOf(metadata: Readonly<Record<string, unknown>>): Owner | undefined {
  const reference = list(metadata['ownerReferences']).find(({ controller }) => controller === true)
  if (reference === undefined) return undefined
  const [apiVersion, kind, name, uid] = ['apiVersion', 'kind', 'name', 'uid'].map(key => clipped(reference[key]))
  if (apiVersion === undefined || kind === undefined || name === undefined || uid === undefined) return undefined
  return { apiVersion, kind, name, uid }
}

function clipped(value: unknown): string | undefined {
  const name = text(value)
  return name === undefined || name === '' ? undefined : name.slice(0, MAX_NAME)
}
