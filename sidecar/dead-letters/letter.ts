import { createHash } from 'node:crypto'
import type { Attribute, CloudEvent } from '../cloudevents/event.ts'
import type { Refusal } from '../delivery/delivery.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { RecordOptions } from '../records/build.ts'
import type { KeySource, RecordFormat } from '../records/record.ts'
import type { StoredEvent } from '../store/store.ts'

/** Version of the line's format. A reader leaves lines of a greater one alone. */
const VERSION = 1

/** An event that Kafka refused for good, as it is kept. */
export interface DeadLetter {
  /** How it was to look in Kafka: a replay makes the same record again. */
  readonly record: RecordOptions
  readonly event: CloudEvent
  /** The topic that refused it. */
  readonly topic: string
  /** ms since 1970 */
  readonly receivedAt: number
  /** When it was refused: ms since 1970. */
  readonly refusedAt: number
  /** One of PermanentReason, or what a later release calls it. */
  readonly reason: string
  /** Kafka's words; undefined when no record could be made of the event. */
  readonly error: KafkaError | undefined
}

/** The digest by which an event's data is known, in hexadecimal. */
export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

/**
 * Writes a dead letter as one line of JSON, with its newline: everything that is small first, the data in base64 last.
 * @param now ms since 1970
 */
export function encodeLetter(
  { event, topic, receivedAt }: StoredEvent,
  { reason, error }: Refusal,
  { format, key, maxEventBytes }: RecordOptions,
  now: number
): Buffer {
  const head = JSON.stringify({
    version: VERSION,
    time: new Date(now).toISOString(),
    reason,
    error: error === undefined ? null : { code: error.code, name: error.name, message: error.message },
    topic,
    receivedTime: new Date(receivedAt).toISOString(),
    format,
    key,
    maxEventBytes,
    // Not an object: names may come twice, and numbers among them would be sorted to the front.
    attributes: event.attributes.map(({ name, value }) => ({ name, value })),
    size: event.data.length,
    sha256: sha256(event.data)
  })
  return Buffer.concat([
    Buffer.from(`${head.slice(0, -1)},"data":"`),
    Buffer.from(event.data.toString('base64'), 'latin1'),
    Buffer.from('"}\n')
  ])
}

/**
 * What a line of a file is when it is no dead letter.
 * - `damaged`: not what was written
 * - `newer`: of a format that a later release writes
 */
export type LineProblem = 'damaged' | 'newer'

/** Reads a line. @param line with or without its newline */
export function decodeLetter(line: Buffer): DeadLetter | LineProblem {
  let json: unknown
  try {
    json = JSON.parse(line.toString('utf8'))
  } catch {
    return 'damaged'
  }
  if (!isObject(json)) return 'damaged'
  if (typeof json['version'] === 'number' && json['version'] > VERSION) return 'newer'
  const { time, reason, error, topic, receivedTime, format, key, maxEventBytes, attributes, data } = json
  const [refusedAt, receivedAt] = [Date.parse(String(time)), Date.parse(String(receivedTime))]
  const bytes = Buffer.from(String(data), 'base64')
  if (
    json['version'] !== VERSION ||
    Number.isNaN(refusedAt) ||
    Number.isNaN(receivedAt) ||
    typeof reason !== 'string' ||
    typeof topic !== 'string' ||
    !(error === null || isKafkaError(error)) ||
    !isOneOf(format, FORMATS) ||
    !isOneOf(key, KEYS) ||
    typeof maxEventBytes !== 'number' ||
    !Array.isArray(attributes) ||
    !attributes.every(isAttribute) ||
    sha256(bytes) !== json['sha256']
  ) {
    return 'damaged'
  }
  return {
    event: { attributes, data: bytes },
    topic,
    receivedAt,
    refusedAt,
    reason,
    error: error ?? undefined,
    record: { format, key, maxEventBytes }
  }
}

/** INFERENCE_LOGGER_FORMAT's values. */
export const FORMATS: readonly RecordFormat[] = ['cloudevent', 'structured', 'envelope']
const KEYS: readonly KeySource[] = ['id', 'partitionkey', 'inferenceservicename', 'none']

function isOneOf<T>(value: unknown, all: readonly T[]): value is T {
  return (all as readonly unknown[]).includes(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isKafkaError(value: unknown): value is KafkaError {
  return (
    isObject(value) &&
    typeof value['code'] === 'number' &&
    typeof value['name'] === 'string' &&
    typeof value['message'] === 'string'
  )
}

function isAttribute(value: unknown): value is Attribute {
  return (
    isObject(value) &&
    typeof value['name'] === 'string' &&
    ['string', 'number', 'boolean'].includes(typeof value['value'])
  )
}
