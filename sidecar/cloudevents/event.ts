/** CloudEvents types of attribute values that survive every format (spec 3.1): the rest has a text form. */
export type AttributeValue = string | number | boolean

/** One context attribute; `datacontenttype` is one of them. Names are lower case and without the `ce-` prefix. */
export interface Attribute {
  readonly name: string
  readonly value: AttributeValue
}

/** An event as it was sent, in no particular format. Bytes in are bytes out: nothing here was parsed that need not be. */
export interface CloudEvent {
  /** In the order in which they came; `id`, `source`, `specversion` and `type` are present and not empty. */
  readonly attributes: Attribute[]
  /** The payload's bytes; empty when the event has none. */
  readonly data: Buffer
}

/** What an event is to an inference log. The only thing about an event that may become a metric's label. */
export type EventKind = 'request' | 'response' | 'other'

/** Finds an attribute's value; undefined when the event lacks it. An empty value is a value. */
export function attribute(event: CloudEvent, name: string): AttributeValue | undefined {
  // A dozen short interned strings: a scan is cheaper than building a map per event.
  for (const one of event.attributes) if (one.name === name) return one.value
  return undefined
}

const kinds = new Map<string, EventKind>()
const MAX_CACHED_TYPES = 1000

/**
 * Tells requests from responses by the end of `type`: `org.kubeflow.serving.inference.request` of KServe as much as
 * `io.seldon.serving.inference.request`.
 */
export function kindOf(event: CloudEvent): EventKind {
  const type = String(attribute(event, 'type'))
  let kind = kinds.get(type)
  if (kind === undefined) {
    kind = type.endsWith('.request') ? 'request' : type.endsWith('.response') ? 'response' : 'other'
    if (kinds.size < MAX_CACHED_TYPES) kinds.set(type, kind)
  }
  return kind
}
