import assert from 'node:assert/strict'
import { parseBinary } from '../../sidecar/cloudevents/binary.ts'
import type { InvalidReason, Irregularity } from '../../sidecar/cloudevents/errors.ts'
import type { AttributeValue, CloudEvent } from '../../sidecar/cloudevents/event.ts'
import type { HeaderDecoding } from '../../sidecar/cloudevents/header-values.ts'
import { parseBatch, parseStructured } from '../../sidecar/cloudevents/structured.ts'

/** An event as it was read, in a form that is easy to compare. */
export interface Reading {
  event: CloudEvent
  attributes: Record<string, AttributeValue>
  /** The payload as UTF-8 text. */
  data: string
  irregular: Irregularity[]
}

type Headers = Readonly<Record<string, string>> | [string, string][]

/** The least that an event in binary mode has. */
export const required: Readonly<Record<string, string>> = {
  'Ce-Id': 'an-id',
  'Ce-Source': '/a/source',
  'Ce-Specversion': '1.0',
  'Ce-Type': 'a.type'
}

/** The same in structured mode. */
export const requiredMembers: Readonly<Record<string, string>> = {
  specversion: '1.0',
  id: 'an-id',
  source: '/a/source',
  type: 'a.type'
}

/** An object without one or several of its members. */
export function without<T extends object>(object: T, ...names: string[]): T {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name))) as T
}

/** Header text as node:http hands it over when its UTF-8 bytes were sent: one character a byte. */
export function onTheWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Reads an event in binary mode; header values are given as text and go over the wire as UTF-8. */
export function readBinary(headers: Headers, body: string | Buffer = '', decoding: HeaderDecoding = 'auto'): Reading {
  const pairs: [string, string][] = Array.isArray(headers) ? headers : Object.entries<string>(headers)
  const rawHeaders = pairs.flatMap(([name, value]) => [name, onTheWire(value)])
  const irregular: Irregularity[] = []
  return readingOf(
    parseBinary(rawHeaders, Buffer.from(body), decoding, what => irregular.push(what)),
    irregular
  )
}

/** Reads an event in structured mode from an object, or from JSON text where its spelling matters. */
export function readStructured(event: object | string): Reading {
  const irregular: Irregularity[] = []
  const text = typeof event === 'string' ? event : JSON.stringify(event)
  return readingOf(
    parseStructured(Buffer.from(text), what => irregular.push(what)),
    irregular
  )
}

/** Reads a batch. */
export function readBatch(batch: unknown): Reading[] {
  const text = typeof batch === 'string' ? batch : JSON.stringify(batch)
  return parseBatch(Buffer.from(text), () => {}).map(event => readingOf(event, []))
}

function readingOf(event: CloudEvent, irregular: Irregularity[]): Reading {
  const attributes = Object.fromEntries(event.attributes.map(({ name, value }) => [name, value]))
  assert.equal(Object.keys(attributes).length, event.attributes.length, 'an attribute came out twice')
  return { event, attributes, data: event.data.toString('utf8'), irregular }
}

/** Asserts that something is refused for a reason. */
export function assertRefused(reason: InvalidReason, read: () => unknown, message?: RegExp): void {
  assert.throws(read, message === undefined ? { reason } : { reason, message })
}
