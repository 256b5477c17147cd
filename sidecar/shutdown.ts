import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ReceiverServer } from './receiver/server.ts'
import type { EventStore } from './store/store.ts'

/** What a drain needs. */
export interface DrainOptions {
  readonly receiver: Pick<ReceiverServer, 'idleMs' | 'stop'>
  readonly store: Pick<EventStore, 'pendingEvents' | 'volatileEvents'>
  readonly logger: Logger
  /** ms without a request after which no more are expected */
  readonly drainIdleMs: number
  /** ms for everything */
  readonly gracePeriodMs: number
  /** ms that a reply may take which a sender waits for, at most */
  readonly replyMs: number
}

/** How a drain ended. */
export interface DrainResult {
  /** Accepted events that Kafka has not acknowledged. */
  readonly undelivered: number
  /** Those of them that are in no journal, and end with the process. */
  readonly lost: number
}

const CHECK_MS = 20
/** Part of the grace period that is kept for delivering, however long events keep coming; ms at most. */
const FLUSH_MS = 5000

/**
 * The order of a loss-free end. KServe's agent gets its SIGTERM together with a plain sidecar and goes on sending for up
 * to 30 s, so events are still taken until they cease. Then nothing new is accepted, and what is pending is delivered,
 * counted by ourselves: librdkafka's own flush and disconnect lose delivery reports.
 */
export async function drain(options: DrainOptions): Promise<DrainResult> {
  const { receiver, store, logger, drainIdleMs, gracePeriodMs, replyMs } = options
  const start = performance.now()
  const elapsed = (): number => performance.now() - start
  const acceptUntil = gracePeriodMs - Math.min(FLUSH_MS, gracePeriodMs / 2)
  // Idle time counts from the signal: a model that was quiet before may still get its last requests.
  while (elapsed() < acceptUntil && Math.min(receiver.idleMs, elapsed()) < drainIdleMs) await sleep(CHECK_MS)
  await receiver.stop(Math.max(0, Math.min(replyMs, gracePeriodMs - elapsed())))
  while (store.pendingEvents > 0 && elapsed() < gracePeriodMs) await sleep(CHECK_MS)
  const undelivered = store.pendingEvents
  const lost = store.volatileEvents
  const seconds = Math.round(elapsed() / 100) / 10
  if (undelivered === 0) logger.info({ seconds }, 'stopped: everything accepted was delivered')
  else if (lost === 0) {
    logger.warn(
      { undelivered, seconds },
      `stopped with ${undelivered} accepted events that Kafka has not acknowledged; they are in the journal, and the next start on this volume delivers them`
    )
  } else {
    logger.error(
      { undelivered, lost, seconds },
      `stopped with ${undelivered} accepted events that Kafka has not acknowledged; ${lost} of them were in memory only and are lost`
    )
  }
  return { undelivered, lost }
}
