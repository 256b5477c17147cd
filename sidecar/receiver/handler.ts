import type { IncomingMessage, ServerResponse } from 'node:http'
import { InvalidEventError, type Irregularity } from '../cloudevents/errors.ts'
import { kindOf, type CloudEvent, type EventKind } from '../cloudevents/event.ts'
import type { HeaderDecoding } from '../cloudevents/header-values.ts'
import { TopicError } from '../records/topic.ts'
import type { AcceptedEvent, AppendOutcome, EventStore } from '../store/store.ts'
import { readBody } from './body.ts'
import { beginRequest, replyAndClose } from './client-errors.ts'
import { eventsOf } from './events-of.ts'
import { Rejection, replyOk, replyRejected, type RejectReason } from './replies.ts'

/** What the receiver tells of: the counters of the metrics module implement it. */
export interface ReceiverObserver {
  /** An event was accepted, `seconds` after its request's headers were read. */
  received(kind: EventKind, bytes: number): void
  /** A request was answered 200 after `seconds`. */
  acknowledged(seconds: number): void
  rejected(reason: RejectReason): void
  irregular(what: Irregularity): void
  /** Something here is broken; the request was answered 500. */
  failed(error: unknown): void
}

/** What the receiver needs. */
export interface ReceiverDependencies {
  readonly store: EventStore
  readonly observer: ReceiverObserver
  /** Adds the environment's extensions to an event. */
  readonly enrich: (event: CloudEvent, receivedAt: number) => void
  /** @throws {TopicError} @throws {Rejection} when the event has no topic, or one too many */
  readonly topicOf: (event: CloudEvent) => string
  readonly headerDecoding: HeaderDecoding
  readonly maxEventBytes: number
}

/**
 * Makes the request handler: request → event → store → reply, in that order and nothing else. The reply waits for the
 * store and never for Kafka.
 */
export function createHandler(
  dependencies: ReceiverDependencies
): (request: IncomingMessage, response: ServerResponse) => void {
  const { store, observer, enrich, topicOf, headerDecoding, maxEventBytes } = dependencies
  store.onAccepted = events => {
    try {
      for (const { event } of events) observer.received(kindOf(event), event.data.length)
    } catch (error) {
      observer.failed(error)
    }
  }
  const onIrregular = (what: Irregularity): void => observer.irregular(what)

  function accept(request: IncomingMessage, body: Buffer): AcceptedEvent[] {
    const receivedAt = Date.now()
    return eventsOf(request, body, headerDecoding, onIrregular).map(event => {
      enrich(event, receivedAt)
      return { event, topic: topicOf(event), receivedAt }
    })
  }

  function reject(response: ServerResponse, error: unknown): void {
    const rejection = rejectionFor(error)
    if (rejection.reason === 'internal_error') observer.failed(error)
    observer.rejected(rejection.reason)
    const { req: request } = response
    if (rejection.reason === 'event_too_large' && !isWorthReading(request, maxEventBytes)) {
      replyAndClose(response, rejection.reason, rejection.message)
      request.resume()
    } else replyRejected(response, rejection)
  }

  /** The sender may be gone by now: node:http then throws the reply away, and what was stored is stored all the same. */
  function answer(response: ServerResponse, outcome: AppendOutcome, start: number): void {
    try {
      if (outcome !== 'stored') return reject(response, NOT_STORED[outcome]())
      replyOk(response)
      observer.acknowledged((performance.now() - start) / 1000)
    } catch (error) {
      // It comes from inside the store, which has other events to see to. No reply is truer than a wrong one.
      if (!response.headersSent) response.destroy()
      observer.failed(error)
    }
  }

  return (request, response) => {
    const start = performance.now()
    if (!beginRequest(response)) return void request.resume()
    readBody(request, maxEventBytes, result => {
      // The rest of a body that was too late: the request was answered already.
      if (response.writableEnded) return
      try {
        if (request.method !== 'POST') {
          throw new Rejection('method_not_allowed', `${request.method ?? ''} is not allowed here: POST a CloudEvent`)
        }
        if (result instanceof Rejection) throw result
        const events = accept(request, result)
        store.append(events, outcome => answer(response, outcome, start))
      } catch (error) {
        reject(response, error)
      }
    })
  }
}

const NOT_STORED: Readonly<Record<Exclude<AppendOutcome, 'stored'>, () => Rejection>> = {
  full: () =>
    new Rejection(
      'queue_full',
      'there is no room for more events (INFERENCE_LOGGER_JOURNAL_MAX_BYTES, INFERENCE_LOGGER_MEMORY_MAX_BYTES): Kafka has not taken any for a while'
    ),
  failed: () =>
    new Rejection(
      'journal_failed',
      "the journal cannot be written (INFERENCE_LOGGER_WHEN_JOURNAL_FAILS=reject); the sidecar's log says why"
    )
}

/**
 * Whether the rest of a body that is too large should be read and thrown away, so that its connection can be kept:
 * only when it says how much is to come, and that is not much.
 */
function isWorthReading(request: IncomingMessage, limit: number): boolean {
  return Number(request.headers['content-length'] ?? Infinity) <= 2 * limit && request.headers.expect === undefined
}

function rejectionFor(error: unknown): Rejection {
  if (error instanceof Rejection) return error
  if (error instanceof InvalidEventError) return new Rejection(error.reason, error.message)
  if (error instanceof TopicError) return new Rejection('no_topic', error.message)
  return new Rejection(
    'internal_error',
    'the event was not taken because of a fault in inference-logger; its log has more'
  )
}
