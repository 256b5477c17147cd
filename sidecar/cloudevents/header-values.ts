import { isUtf8 } from 'node:buffer'
import { hasControlCharacter } from './attributes.ts'
import { InvalidEventError, type OnIrregular } from './errors.ts'

/** How `ce-` header values are decoded: see docs/receiving.md. */
export type HeaderDecoding = 'auto' | 'strict' | 'raw'

/** Anything that could need work: a percent sign, a byte above ASCII. A quoted string is found by its first character. */
const SUSPECT = /[%\u0080-\u00ff]/
const QUOTE = 0x22
/** What percent-encoding leaves nowhere: HTTP binding 3.1.3.2 has double quotes and everything above ASCII encoded. */
const NEVER_IN_ENCODED = /["\u0080-\uffff]/

/**
 * Decodes a header value to an attribute value.
 *
 * Node hands header bytes over as latin1, while KServe's agent sends UTF-8 bytes as they are, so text above ASCII is
 * read again as UTF-8. HTTP binding 3.1.3.2 then wants double quotes undone and one round of percent-decoding, but
 * neither sdk-go (KServe) nor sdk-java encodes (cloudevents/spec#1397), and a strict decoder would refuse their raw
 * JSON: hence `auto`. It leaves text alone that shows its sender does not encode, like `{"Referer":["/?q=%22a%22"]}`
 * among KServe's metadata, which would not even stay JSON.
 * @throws {InvalidEventError} in `strict`, for a value that does not decode
 */
export function decodeHeaderValue(
  name: string,
  raw: string,
  decoding: HeaderDecoding,
  onIrregular: OnIrregular
): string {
  if (isPlain(raw)) return raw
  const text = utf8Of(raw, decoding === 'strict' ? () => refuse(name) : onIrregular)
  if (decoding === 'raw') return text
  const unquoted = unquote(text)
  if (decoding === 'strict' || unquoted !== text || !text.includes('%') || !NEVER_IN_ENCODED.test(text)) {
    const decoded = percentDecode(unquoted)
    if (decoded !== undefined) {
      if (hasControlCharacter(decoded)) onIrregular('attribute_value')
      return decoded
    }
  }
  if (decoding === 'strict') refuse(name)
  onIrregular('header_escape')
  return text
}

/** Whether a value is the same however it is decoded, and nothing about it counts. */
export function isPlain(raw: string): boolean {
  return !SUSPECT.test(raw) && raw.charCodeAt(0) !== QUOTE
}

function refuse(name: string): never {
  throw new InvalidEventError(
    'invalid_attribute',
    `header ce-${name} does not decode to valid UTF-8 (HTTP binding 3.1.3.2; INFERENCE_LOGGER_HEADER_DECODING=auto keeps such text)`
  )
}

/** Reads latin1 text as the UTF-8 bytes it stands for; text that is no UTF-8 stays as it is. */
export function utf8Of(latin1: string, onIrregular: OnIrregular): string {
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1
  const bytes = Buffer.from(latin1, 'latin1')
  if (isUtf8(bytes)) return bytes.toString('utf8')
  onIrregular('header_bytes')
  return latin1
}

/** Undoes an RFC 7230 quoted-string, only where the whole value is one: JSON text that merely contains quotes is left alone. */
function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== QUOTE || !/^"(?:[^"\\]|\\.)*"$/s.test(text)) return text
  return text.slice(1, -1).replace(/\\(.)/gs, '$1')
}

/**
 * One round of percent-decoding; undefined when a `%` starts no valid escape or the result is no valid UTF-8.
 * A decoded NUL counts as invalid: CloudEvents forbids it (spec 3.1), and node-rdkafka would cut the value there.
 */
function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    const decoded = decodeURIComponent(text)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}
