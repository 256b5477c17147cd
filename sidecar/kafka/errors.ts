import { createRequire } from 'node:module'
import Kafka from 'node-rdkafka'

/** librdkafka's number for errors that we know nothing more about (RD_KAFKA_RESP_ERR_UNKNOWN). */
export const UNKNOWN_ERROR = -1

/** An error of librdkafka or of a broker, with the code that node-rdkafka lost. */
export interface KafkaError {
  /** Negative: librdkafka's own; positive: the protocol's (kafka.apache.org/protocol, "Error Codes"). */
  readonly code: number
  /** The code's name without prefix, lower case: `msg_size_too_large`; bounded, hence fit for a metric's label. */
  readonly name: string
  readonly message: string
}

const namesByCode = new Map<number, string>()
const codesByText = new Map<string, number>()

/**
 * node-rdkafka 3.6.1 makes delivery-report and event errors from their text alone (src/callbacks.cc), lower-cased and
 * without its prefix (lib/error.js), so that `code` is always -1. The text of each code is unambiguous: 172 codes, no
 * collision, checked by a test.
 */
function learnCodes(): void {
  const { err2str } = createRequire(import.meta.url)('node-rdkafka/librdkafka.js') as {
    err2str: (code: number) => string
  }
  for (const [constant, code] of Object.entries<number>(Kafka.CODES.ERRORS)) {
    if (namesByCode.has(code)) continue
    namesByCode.set(code, constant.replace(/^ERR_+/, '').toLowerCase())
    codesByText.set(normalise(err2str(code)), code)
  }
}

/** As lib/error.js does it: the first word and a colon go, and capitals. */
function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/^(?:local|broker):\s*/, '')
    .trim()
}

/** Recovers what an error from node-rdkafka is about. Never throws, whatever it is given. */
export function kafkaErrorOf(error: unknown): KafkaError {
  if (codesByText.size === 0) learnCodes()
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  // String() itself throws for an object without a prototype.
  const text = typeof message === 'string' ? message : typeof error === 'string' ? error : 'unknown error'
  const known = typeof code === 'number' && code !== UNKNOWN_ERROR && namesByCode.has(code) ? code : undefined
  const found = known ?? codesByText.get(normalise(text)) ?? UNKNOWN_ERROR
  return { code: found, name: namesByCode.get(found) ?? 'unknown', message: text }
}
