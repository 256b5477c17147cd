import { SERVICE_LABELS } from '../decide/decide.ts'
import { labelsOf, type RawPod } from '../pod.ts'
import type { Settings, Version } from '../settings/settings.ts'

/** Native sidecars are on by default since then (KEP-753, beta). */
const KUBERNETES: Version = { major: 1, minor: 29 }
/** Earlier KServe decodes the pod to a type without a container's restartPolicy, and takes it away. */
const KSERVE: Version = { major: 0, minor: 12 }

/** Decides between a native sidecar and an ordinary container. @param choice of the annotation `native-sidecar` */
export function isNative(pod: RawPod, settings: Settings, choice: 'auto' | 'always' | 'never' | undefined): boolean {
  if (choice === 'always' || choice === 'never') return choice === 'always'
  // KFServing is older than any KServe.
  if (labelsOf(pod)[SERVICE_LABELS[0]] === undefined && labelsOf(pod)[SERVICE_LABELS[1]] !== undefined) return false
  return reaches(settings.kubernetesVersion, KUBERNETES) && reaches(settings.kserveVersion, KSERVE)
}

/** @param version undefined: not known, and then new */
function reaches(version: Version | undefined, least: Version): boolean {
  if (version === undefined) return true
  return version.major > least.major || (version.major === least.major && version.minor >= least.minor)
}
