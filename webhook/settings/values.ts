import { nearest } from '../../sidecar/config/errors.ts'
import { parseDuration, ValueError } from '../../sidecar/config/units.ts'
import { parseBytesQuantity } from '../annotations/quantity.ts'
import { annotations, PREFIX, type Annotation, type AnnotationName } from '../annotations/table.ts'
import type { Version } from './settings.ts'

/** Every annotation's row, of one type. */
export const ANNOTATIONS: Readonly<Record<AnnotationName, Annotation>> = annotations
export const ANNOTATION_NAMES = Object.keys(annotations) as AnnotationName[]

/**
 * Parses a version of Kubernetes or KServe.
 * @param text `1.34`, `v1.34.2`, and what clouds make of it: `v1.34.1-gke.100`, `1.29+`
 * @throws {ValueError} when it is none
 */
export function parseVersion(text: string): Version {
  const match = /^v?(\d{1,3})\.(\d{1,3})(?:\.\d+)?(?:[-+].*)?$/.exec(text)
  if (match === null) throw new ValueError('a version: 1.34 or v1.34.2')
  return { major: Number(match[1]), minor: Number(match[2]) }
}

/**
 * Parses a name of a Secret or ConfigMap (RFC 1123 subdomain).
 * @throws {ValueError} when it is none
 */
export function parseName(text: string): string {
  if (text.length > 253 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)) {
    throw new ValueError('a Kubernetes name: lower case letters, digits, hyphens and dots')
  }
  return text
}

/**
 * Parses a name of a namespace (RFC 1123 label).
 * @throws {ValueError} when it is none
 */
export function parseNamespace(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) {
    throw new ValueError('a namespace: at most 63 lower case letters, digits and hyphens')
  }
  return text
}

/**
 * Parses a key of a Secret or ConfigMap.
 * @throws {ValueError} when it is none
 */
export function parseKey(text: string): string {
  if (!/^[-._a-zA-Z0-9]{1,253}$/.test(text) || /^\.\.?$/.test(text)) {
    throw new ValueError('a key of a Secret or ConfigMap: letters, digits, hyphens, underscores and dots')
  }
  return text
}

/**
 * Parses the name of an environment variable.
 * @throws {ValueError} when Kubernetes would not take it
 */
export function parseVariableName(text: string): string {
  if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(text)) {
    throw new ValueError('a name of a variable: letters, digits, underscores, hyphens and dots')
  }
  return text
}

/**
 * Parses the name of an annotation, without its prefix.
 * @throws {ValueError} when there is none of that name
 */
export function parseAnnotationName(text: string): AnnotationName {
  const found = ANNOTATION_NAMES.find(name => name === text)
  if (found !== undefined) return found
  const meant = nearest(text.replace(PREFIX, ''), ANNOTATION_NAMES)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  throw new ValueError(`the name of an annotation, without ${PREFIX}${hint}`)
}

/**
 * Checks a size on a disk, as Kubernetes writes it.
 * @returns bytes
 * @throws {ValueError} when it is none, or nothing
 */
export function parseDiskSize(text: string): number {
  const bytes = parseBytesQuantity(text)
  if (bytes === undefined || bytes < 1) throw new ValueError('a size on a disk: 512Mi, 1Gi or 2G')
  return bytes
}

/**
 * Parses a length of time.
 * @returns whole seconds, rounded up
 * @throws {ValueError} when it is none
 */
export function parseSeconds(text: string): number {
  return Math.ceil(parseDuration(text) / 1000)
}
