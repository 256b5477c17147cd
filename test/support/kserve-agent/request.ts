export type EventType = 'request' | 'response'

/** One inference request or response as the agent's handler queues it. */
export interface InferenceEvent {
  type: EventType
  /** `Ce-Id`; a request and its response carry the same one. */
  id: string
  body: Buffer
  /** Absent: the event goes out without `Content-Type`, as the agent does for a request that had none. */
  contentType?: string
  /** When the request came in or the response was complete, in nanoseconds of Unix time. */
  occurredAt: bigint
}

/** What is the same for every event of one agent. */
export interface AgentIdentity {
  inferenceService: string
  namespace: string
  component: string
  source: string
  /** `Ce-Metadata`; `null` is what KServe 0.14 to 0.15 put on responses. */
  metadata: Record<string, string[]> | null
  /** `Ce-Annotations`; the header is absent when there are none. */
  annotations: Record<string, string>
  /** `Ce-Recordedtime`, which KServe has sent since 0.18. */
  recordedTime: boolean
}

const clockOffset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint()

/** Nanoseconds of Unix time; the digits below a millisecond come from the monotonic clock. */
export function unixNanoseconds(): bigint {
  return clockOffset + process.hrtime.bigint()
}

/** Go's RFC3339Nano in UTC: up to nine fraction digits, trailing zeros (and a fraction of zero) left out. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  const seconds = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19)
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`
}

/** JSON as Go's encoding/json prints it: keys sorted, `<`, `>`, `&`, U+2028 and U+2029 escaped. */
export function goJson(value: Record<string, unknown> | null): string {
  const sorted = value && Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return JSON.stringify(sorted).replace(
    /[<>&\u2028\u2029]/g,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

/**
 * The bytes that Go's net/http writes for one event in CloudEvents binary mode.
 *
 * @param sink where the agent's `--log-url` points; its path and query are kept
 * @param recordedAt when a worker picked the event up, in nanoseconds of Unix time
 * @throws TypeError when a header value holds what Go refuses to send (the agent drops such an event)
 */
export function formatRequest(
  sink: URL,
  event: InferenceEvent,
  identity: AgentIdentity,
  recordedAt = unixNanoseconds()
): Buffer {
  const headers: Record<string, string> = {
    'Ce-Component': identity.component,
    // v1beta1 never sets the pod label this comes from: present and empty
    'Ce-Endpoint': '',
    'Ce-Id': event.id,
    'Ce-Inferenceservicename': identity.inferenceService,
    'Ce-Metadata': goJson(identity.metadata),
    'Ce-Namespace': identity.namespace,
    'Ce-Source': identity.source,
    'Ce-Specversion': '1.0',
    'Ce-Time': rfc3339Nano(event.occurredAt),
    'Ce-Type': `org.kubeflow.serving.inference.${event.type}`
  }
  if (Object.keys(identity.annotations).length > 0) headers['Ce-Annotations'] = goJson(identity.annotations)
  if (identity.recordedTime) headers['Ce-Recordedtime'] = rfc3339Nano(recordedAt)
  if (event.contentType !== undefined) headers['Content-Type'] = event.contentType

  // Go writes these three first, then the event's headers sorted, and Accept-Encoding, which its transport adds, last
  let head = `POST ${sink.pathname}${sink.search} HTTP/1.1\r\nHost: ${sink.host}\r\n`
  head += `User-Agent: Go-http-client/1.1\r\nContent-Length: ${event.body.length}\r\n`
  for (const name of Object.keys(headers).sort()) {
    const value = headers[name] ?? ''
    // eslint-disable-next-line no-control-regex -- the control characters are the point: Go's ValidHeaderFieldValue
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) throw new TypeError(`net/http: invalid header field value for "${name}"`)
    head += `${name}: ${value}\r\n`
  }
  return Buffer.concat([Buffer.from(`${head}Accept-Encoding: gzip\r\n\r\n`), event.body])
}
