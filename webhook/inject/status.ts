import type { Report } from '../review.ts'

/**
 * The value of the annotation inference-logger.io/status: what became of the pod, for `kubectl get pod -o yaml` and for
 * the ValidatingAdmissionPolicy.
 * @param mode how the sidecar runs
 */
export function statusText({ result, reasons }: Report, mode?: 'native' | 'container'): string {
  return JSON.stringify({
    result,
    reasons: reasons.map(({ code }) => code),
    ...(mode === undefined ? {} : { mode })
  })
}
