import { record, type RawPod } from '../pod.ts'
import type { Settings } from '../settings/settings.ts'

/** Kubernetes' own default, for a pod that was not sent to an API server yet. */
const DEFAULT_GRACE_SECONDS = 30
/** The process ends a little before the kubelet's SIGKILL, so that its last log line says what is left. */
const MARGIN_SECONDS = 3
/** For what the sidecar does at least after the model and the agent have ended. */
const LEAST_FLUSH_SECONDS = 5

/** What INFERENCE_LOGGER_GRACE_PERIOD takes. */
const MOST_SECONDS = 86_400

/** How a pod ends, and the sidecar in it. */
export interface EndOfLife {
  /** Of the pod. */
  readonly before: number
  readonly after: number
  /** INFERENCE_LOGGER_DRAIN_IDLE and INFERENCE_LOGGER_GRACE_PERIOD. */
  readonly drainIdleSeconds: number
  readonly graceSeconds: number
}

/**
 * Decides on the grace period. KServe's agent goes on for 30 s after SIGTERM, which is all that KServe's default gives; so
 * nothing would be left for what the agent sent last.
 *
 * A native sidecar gets its SIGTERM when nobody can send any more, and has what is left; a plain container gets it
 * together with the agent, and outwaits its drain.
 * @param wanted the annotation termination-grace-period-seconds, s
 */
export function endOfLife(pod: RawPod, settings: Settings, native: boolean, wanted: number | undefined): EndOfLife {
  const { raise, agentDrainSeconds, flushSeconds } = settings.gracePeriod
  const given = record(pod['spec'])['terminationGracePeriodSeconds']
  const before = typeof given === 'number' && given >= 0 ? given : DEFAULT_GRACE_SECONDS
  const least = wanted ?? (raise ? agentDrainSeconds + flushSeconds : 0)
  const after = Math.max(before, least)
  const drained = native ? agentDrainSeconds : 0
  const graceSeconds = Math.min(MOST_SECONDS, Math.max(LEAST_FLUSH_SECONDS, after - drained - MARGIN_SECONDS))
  return { before, after, drainIdleSeconds: native ? 0 : agentDrainSeconds + 1, graceSeconds }
}
