import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../../sidecar/receiver/body.ts'
import type { Report, ReviewPod } from '../review.ts'
import type { Settings } from '../settings/settings.ts'
import { allowed, answer, BadRequest, parseAdmissionReview, type AdmissionRequest } from './admission-review.ts'
import { send, sendAndClose, sentence, type Reply } from './replies.ts'
import { subjectOf, type Subject } from './subject.ts'

/** Where the API server sends its reviews; a query, such as its `?timeout=10s`, may follow. */
export const PATH = '/mutate'
/** An AdmissionReview may hold an object twice, and etcd takes no more than 1.5 MiB of one. */
export const MAX_BODY_BYTES = 10 * 1024 * 1024
/** Of all bodies that are arriving: a thousand pods at once, and no reason for an OOM kill. */
const MAX_ARRIVING_BYTES = 64 * 1024 * 1024

/** An admission that was decided. */
export interface Decision {
  readonly subject: Subject
  readonly report: Report
  /** Nothing will be stored: there must be no other effect either. */
  readonly dryRun: boolean
  /** From the request's headers to the reply. */
  readonly ms: number
}

/** What is told of requests; never anything of their content but a {@link Subject}. Methods must not throw. */
export interface EndpointObserver {
  began(): void
  /** The reply is out, or the connection is gone; once for each `began`. */
  ended(): void
  decided(decision: Decision): void
  /** Allowed without a look: an update, or a subresource. */
  untouched(subject: Subject, operation: string, ms: number): void
  /** Not a request of the API server's, or of a version that we do not know; 503: there is too much at once. */
  refused(status: number, message: string, ms: number): void
  /** A fault of ours. */
  failed(error: unknown, subject: Subject | undefined, ms: number): void
}

/** What the endpoint needs. */
export interface EndpointOptions {
  readonly reviewPod: ReviewPod
  /** Asked once a request. */
  readonly settings: () => Settings
  readonly observer: EndpointObserver
  /** Whether replies end their connection, because the process is about to. */
  readonly closing: () => boolean
  /** ms from a request's headers to the end of its body; no webhook call of the API server's lasts longer than 30 s. */
  readonly bodyTimeoutMs?: number
  /** Bound on the bodies that are arriving, all together. */
  readonly maxArrivingBytes?: number
}

/** @returns what handles each request of the webhook's server */
export function createEndpoint(options: EndpointOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { observer, closing, bodyTimeoutMs = 30_000, maxArrivingBytes = MAX_ARRIVING_BYTES } = options
  let arriving = 0
  return (request, response) => {
    const start = performance.now()
    const elapsed = (): number => performance.now() - start
    observer.began()
    response.once('close', () => observer.ended())
    const refuse = (reply: Reply): void => {
      observer.refused(reply.status, reply.body.trimEnd(), elapsed())
      sendAndClose(response, reply)
    }
    const refusal = refusalOf(request)
    if (refusal !== undefined) return refuse(refusal)
    const late = setTimeout(() => refuse(sentence(408, 'the body did not arrive in time')), bodyTimeoutMs)
    let held = 0
    response.once('close', () => {
      clearTimeout(late)
      arriving -= held
    })
    request.on('data', (chunk: Buffer) => {
      // It has its answer, and nothing more of it is kept.
      if (response.headersSent) return
      held += chunk.length
      arriving += chunk.length
      if (arriving <= maxArrivingBytes) return
      clearTimeout(late)
      const overloaded = sentence(503, 'too many bodies are arriving')
      observer.refused(overloaded.status, overloaded.body.trimEnd(), elapsed())
      // Not gently: reading on is what there is no room for.
      send(response, overloaded, true)
    })
    readBody(request, MAX_BODY_BYTES, body => {
      clearTimeout(late)
      // Its time was over, and it has its answer.
      if (response.headersSent) return
      if (!Buffer.isBuffer(body)) return refuse(sentence(413, `the body is larger than ${MAX_BODY_BYTES} bytes`))
      send(response, review(options, body, elapsed), closing())
    })
  }
}

function refusalOf({ url = '/', method, headers }: IncomingMessage): Reply | undefined {
  if (url.split('?', 1)[0] !== PATH) return sentence(404, `there is only ${PATH}`)
  if (method !== 'POST') return sentence(405, 'only POST', ['Allow', 'POST'])
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') return sentence(415, 'the Content-Type must be application/json')
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') return sentence(415, 'the body must not be encoded')
  return undefined
}

function review(options: EndpointOptions, body: Buffer, elapsed: () => number): Reply {
  const { observer } = options
  let subject: Subject | undefined
  try {
    const request = parseAdmissionReview(body)
    subject = subjectOf(request.namespace, request.object)
    const { reply, report } = decide(options, request)
    const { dryRun, operation } = request
    if (report === undefined) observer.untouched(subject, operation, elapsed())
    else observer.decided({ subject, report, dryRun, ms: elapsed() })
    return reply
  } catch (error) {
    if (error instanceof BadRequest) {
      observer.refused(400, error.message, elapsed())
      return sentence(400, error.message)
    }
    observer.failed(error, subject, elapsed())
    // Not a denial: the webhook configuration's failurePolicy decides.
    return sentence(500, 'internal error: the webhook’s log has more')
  }
}

function decide(options: EndpointOptions, request: AdmissionRequest): { reply: Reply; report?: Report } {
  const { operation, subResource, object: pod, namespace } = request
  if (operation !== 'CREATE' || subResource !== '') return { reply: json(allowed(request)) }
  const result = options.reviewPod({ pod, namespace, settings: options.settings() })
  return { reply: json(answer(request, result)), report: result.report }
}

function json(value: object): Reply {
  return { status: 200, type: 'application/json', body: JSON.stringify(value) }
}
