import { isRecord, text } from '../pod.ts'
import type { Report, Review } from '../review.ts'
import { shortened } from './warnings.ts'

/** Versions of the AdmissionReview that are answered; what we read and write of them is the same. */
const API_VERSIONS = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'] as const

/** What the API server asks, as far as it is read. */
export interface AdmissionRequest {
  readonly apiVersion: (typeof API_VERSIONS)[number]
  readonly uid: string
  /** `CREATE`, `UPDATE`, `DELETE`, `CONNECT`; empty when it was not said. */
  readonly operation: string
  /** `ephemeralcontainers` and the like; empty for the object itself. */
  readonly subResource: string
  readonly namespace: string
  readonly dryRun: boolean
  /** The pod, or whatever was sent in its place. */
  readonly object: unknown
}

/** The request is none that can be answered; the message says why, in a sentence without anything of the request's. */
export class BadRequest extends Error {}

/**
 * Reads an AdmissionReview.
 * @param body as it was sent
 * @throws {BadRequest}
 */
export function parseAdmissionReview(body: Buffer): AdmissionRequest {
  let review: unknown
  try {
    review = JSON.parse(body.toString())
  } catch {
    // The parser's own message quotes the body.
    throw new BadRequest(body.length === 0 ? 'the body is empty' : 'the body is no JSON')
  }
  if (!isRecord(review) || review['kind'] !== 'AdmissionReview') throw new BadRequest('the body is no AdmissionReview')
  const apiVersion = API_VERSIONS.find(version => version === review['apiVersion'])
  if (apiVersion === undefined)
    throw new BadRequest(`the AdmissionReview’s apiVersion is none of ${API_VERSIONS.join(', ')}`)
  const request = review['request']
  if (!isRecord(request)) throw new BadRequest('the AdmissionReview has no request')
  const uid = text(request['uid'])
  if (uid === undefined || uid === '') throw new BadRequest('the AdmissionReview’s request has no uid')
  return {
    apiVersion,
    uid,
    operation: text(request['operation']) ?? '',
    subResource: text(request['subResource']) ?? '',
    namespace: text(request['namespace']) ?? '',
    dryRun: request['dryRun'] === true,
    object: request['object']
  }
}

/** Allows what is not ours to judge, unchanged. */
export function allowed({ apiVersion, uid }: AdmissionRequest): object {
  return { apiVersion, kind: 'AdmissionReview', response: { uid, allowed: true } }
}

/** Answers with what was decided, and the patch. */
export function answer({ apiVersion, uid }: AdmissionRequest, { report, patch }: Review): object {
  const denied = report.result === 'deny'
  const warnings = shortened(report.warnings)
  return {
    apiVersion,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: !denied,
      ...(denied ? { status: { code: 400, reason: 'BadRequest', message: sentences(report) } } : {}),
      ...(denied || patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
      ...(warnings.length === 0 ? {} : { warnings }),
      auditAnnotations: { result: report.result, reasons: codes(report).join(',') }
    }
  }
}

/** @returns the reasons' codes, the most important first, each once */
export function codes({ reasons }: Report): string[] {
  return [...new Set(reasons.map(({ code }) => code))]
}

/** @returns the reasons' sentences in one line */
export function sentences({ reasons }: Report): string {
  return reasons.map(({ message }) => message).join('; ')
}
