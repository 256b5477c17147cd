/**
 * A pod as JSON that somebody sent: every field may be missing, or be of another type than Kubernetes says. It is read
 * through {@link record}, {@link list} and {@link text}, and fields that we do not know are left where they are.
 */
export type RawPod = Readonly<Record<string, unknown>>

/** @returns the value if it is an object and no array; an empty object otherwise */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the objects of a list; an empty list when it is none */
export function list(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

/** @returns the value if it is a text; undefined otherwise */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** @returns the texts of a list */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Annotations or labels: entries whose value is no text are left out. */
export function stringMap(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  )
}

/** Labels of a pod. */
export function labelsOf(pod: RawPod): Readonly<Record<string, string>> {
  return stringMap(record(pod['metadata'])['labels'])
}

/** Annotations of a pod. */
export function annotationsOf(pod: RawPod): Readonly<Record<string, string>> {
  return stringMap(record(pod['metadata'])['annotations'])
}
