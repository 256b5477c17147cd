/** How a request carries its event (HTTP binding 3): decided by the content type alone. */
export type ContentMode = 'binary' | 'structured' | 'batch' | 'unsupported-structured' | 'unsupported-batch'

const modes = new Map<string, ContentMode>()
const MAX_CACHED = 1000

/**
 * Decides the content mode. Compared without case and without parameters; batch before structured, since
 * `application/cloudevents-batch` begins with `application/cloudevents` (HTTP binding 3).
 * @param contentType the header's text; undefined when there is none
 */
export function contentModeOf(contentType: string | undefined): ContentMode {
  if (contentType === undefined) return 'binary'
  let mode = modes.get(contentType)
  if (mode === undefined) {
    mode = decide(contentType)
    if (modes.size < MAX_CACHED) modes.set(contentType, mode)
  }
  return mode
}

function decide(contentType: string): ContentMode {
  const type = mediaType(contentType)
  if (!type.startsWith('application/cloudevents')) return 'binary'
  const utf8 = isUtf8(contentType)
  if (type.startsWith('application/cloudevents-batch')) {
    return type === 'application/cloudevents-batch+json' && utf8 ? 'batch' : 'unsupported-batch'
  }
  return type === 'application/cloudevents+json' && utf8 ? 'structured' : 'unsupported-structured'
}

/** The type and subtype, lower case, without parameters. */
export function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(';')
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

/** JSON by RFC 8259 is UTF-8; a `charset` that says otherwise is a body that cannot be read. */
function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase()
  return charset === undefined || charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii'
}

/**
 * Whether data of this content type is JSON (JSON event format 3.1): subtype `json` or a `+json` suffix, any main type.
 * An absent content type counts as `application/json` (JSON event format 3.1.2).
 */
export function isJson(contentType: string | undefined): boolean {
  return contentType === undefined || /^[^/]+\/(?:json|[^/]+\+json)$/.test(mediaType(contentType))
}

/** Whether data of this content type is text that JSON may carry as a string rather than as base64. */
export function isText(contentType: string): boolean {
  return /^(?:text\/.+|application\/(?:x-www-form-urlencoded|xml|.+\+xml))$/.test(mediaType(contentType))
}
