import type { ReasonCode } from '../decide/reasons.ts'
import type { Report } from '../review.ts'

/** The type of an Event. */
export type EventType = 'Normal' | 'Warning'

/**
 * What somebody who looks for the sidecar would want to read on the owner. undefined: nothing that an Event would tell
 * them, because it goes without saying, or is what they wrote themselves.
 */
const IMPORTANCE: Readonly<Record<ReasonCode, EventType | undefined>> = {
  loopback_sink: 'Normal',
  inject_annotation: 'Normal',
  restart_policy_restored: 'Warning',
  invalid_annotation: 'Warning',
  not_a_pod: undefined,
  mirror_pod: undefined,
  windows_pod: 'Warning',
  namespace_ignored: undefined,
  already_injected: undefined,
  inject_annotation_false: undefined,
  no_inference_service_label: undefined,
  no_logger: undefined,
  sink_unknown: 'Normal',
  sink_not_loopback: 'Normal',
  sink_https: 'Warning',
  sink_invalid: 'Warning',
  sink_port_privileged: 'Warning',
  multi_node_worker: undefined,
  host_network: 'Warning',
  port_conflict: 'Warning',
  container_name_conflict: 'Warning',
  volume_name_conflict: 'Warning'
}

/** @returns undefined: there is to be no Event */
export function eventTypeOf({ result, reasons }: Report): EventType | undefined {
  if (result === 'deny') return 'Warning'
  // What goes without saying makes the rest unimportant: nobody misses a sidecar in a pod without a logger.
  const types = reasons.map(({ code }) => IMPORTANCE[code])
  if (types.includes(undefined)) return undefined
  return types.includes('Warning') ? 'Warning' : 'Normal'
}
