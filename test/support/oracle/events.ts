import { createHash } from 'node:crypto'
import { headersDigest } from '../kafka/index.ts'
import { Random } from './random.ts'

/** An event that follows from its number: what arrives is checked without keeping what was sent. */
export interface OracleEvent {
  number: number
  service: string
  id: string
  type: string
  /** All attributes but the content type, in the order in which they are sent. */
  attributes: [name: string, value: string][]
  contentType: string | undefined
  body: Buffer
}

/** How a record of an event must look, in the terms of a fingerprint. */
export interface ExpectedRecord {
  topic: string
  key: string
  value: string
  length: number
  headers: string
}

/** An HTTP request that carries the events from `first` on, `count` of them. */
export interface OracleRequest {
  first: number
  count: number
  bytes: Buffer
}

/** Headers of a record that the sidecar adds, and whose values the oracle cannot know. */
export const ADDED_HEADERS = ['ce_receivedtime', 'inference-logger-replayed']
/** The header by which the sidecar says that it had the record in its journal when it started. */
export const REPLAYED_HEADER = 'inference-logger-replayed'

export interface EventSourceOptions {
  seed: number
  /** Distinguishes the ids of this source from those of any other; letters and digits. */
  name: string
  /** Values of `inferenceservicename`. */
  services: string[]
  /** The topic of a service's events. */
  topicOf: (service: string) => string
  /** Largest body in bytes; nearly a MiB unless said, which is what a topic takes unless told otherwise. */
  maxBytes?: number
}

/** Events of a block come in one way: one by one, or all in one batch. */
const BLOCK = 8
const POOL_BYTES = 2 * 1024 * 1024

/**
 * An endless sequence of events: KServe's headers in their variations, requests and responses that share an id, bodies
 * of all sizes, most of them small, in all three content modes. The same seed and name give the same sequence.
 */
export class EventSource {
  readonly #options: EventSourceOptions
  readonly #pool: Buffer
  readonly #idPattern: RegExp

  constructor(options: EventSourceOptions) {
    this.#options = options
    this.#pool = createHash('shake256', { outputLength: POOL_BYTES }).update(String(options.seed)).digest()
    this.#idPattern = new RegExp(`^${options.name}-(\\d+)$`)
  }

  /** Every topic that an event of this source may go to. */
  get topics(): string[] {
    return this.#options.services.map(service => this.#options.topicOf(service))
  }

  event(number: number): OracleEvent {
    const random = Random.of(this.#options.seed, number)
    const { name, services } = this.#options
    const service = random.weighted(services.map((one, index) => [services.length - index, one]))
    const id = `${name}-${Math.floor(number / 2)}`
    const type = `org.kubeflow.serving.inference.${number % 2 === 0 ? 'request' : 'response'}`
    const body = this.#body(number, random)
    const attributes: [string, string][] = [
      ['component', random.one(['predictor', 'transformer'])],
      ['endpoint', random.one(['', '', 'default'])],
      ['id', id],
      ['inferenceservicename', service],
      ['metadata', random.one(['{"X-User":["zoë"]}', 'null', '{"Referer":["/?q=%22a%22"]}'])],
      ['namespace', 'default'],
      ['source', 'http://localhost:9081/'],
      ['specversion', '1.0'],
      ['time', `2026-11-22T10:36:01.${random.integer(100_000_000, 999_999_999)}Z`],
      ['type', type]
    ]
    if (random.chance(0.5)) attributes.push(['annotations', '{"note":"a\\u003cb é","team":"fraud"}'])
    if (random.chance(0.7)) attributes.push(['recordedtime', '2026-11-22T10:36:01.389864388Z'])
    const contentType = random.weighted<string | undefined>([
      [8, 'application/json'],
      [1, 'application/octet-stream'],
      [1, undefined]
    ])
    return { number, service, id, type, attributes, contentType, body }
  }

  /** The request that carries event `first` and those that go with it; asked with the number after each request's last. */
  request(first: number, host = 'localhost'): OracleRequest {
    const mode = this.#modeOf(first)
    if (mode === 'binary') return { first, count: 1, bytes: binary(this.event(first), host) }
    const count = mode === 'batch' ? BLOCK - (first % BLOCK) : 1
    const events = Array.from({ length: count }, (_, index) => structured(this.event(first + index)))
    const bytes = Buffer.from(JSON.stringify(mode === 'batch' ? events : events[0]))
    const type = mode === 'batch' ? 'application/cloudevents-batch+json' : 'application/cloudevents+json; charset=utf-8'
    return { first, count, bytes: Buffer.concat([head(host, bytes.length, [['Content-Type', type]]), bytes]) }
  }

  /** What the record of event `number` must be. */
  expected(number: number): ExpectedRecord {
    const { service, id, attributes, contentType, body } = this.event(number)
    const headers = attributes.map(([name, value]): [string, string] => [`ce_${name}`, value])
    // An event in JSON format without a content type is JSON (JSON format 3.1.2).
    const type = contentType ?? (this.#modeOf(number) === 'binary' ? undefined : 'application/json')
    if (type !== undefined) headers.push(['content-type', type])
    return {
      topic: this.#options.topicOf(service),
      key: id,
      value: createHash('sha1').update(body).digest('hex'),
      length: body.length,
      headers: headersDigest(headers)
    }
  }

  /** The number of the event with this id and type; undefined when this source has none. */
  numberOf(id: string | undefined, type: string | undefined): number | undefined {
    const half = this.#idPattern.exec(id ?? '')?.[1]
    const kind = /^org\.kubeflow\.serving\.inference\.(request|response)$/.exec(type ?? '')?.[1]
    if (half === undefined || kind === undefined) return undefined
    return Number(half) * 2 + (kind === 'request' ? 0 : 1)
  }

  #modeOf(number: number): 'binary' | 'structured' | 'batch' {
    const random = Random.of(this.#options.seed, Math.floor(number / BLOCK), 0x6d6f6465)
    return random.weighted([
      [94, 'binary'],
      [3, 'structured'],
      [3, 'batch']
    ])
  }

  #body(number: number, random: Random): Buffer {
    const wanted = random.weighted<() => number>([
      [4, () => 0],
      [65, () => random.integer(1, 2000)],
      [28, () => random.integer(1000, 6000)],
      [3, () => random.integer(6000, 65_536)],
      [0.03, () => random.integer(950_000, 1_000_000)]
    ])
    const bytes = Math.min(wanted(), this.#options.maxBytes ?? Infinity)
    const body = Buffer.allocUnsafe(bytes)
    const offset = random.integer(0, POOL_BYTES - bytes)
    this.#pool.copy(body, 0, offset, offset + bytes)
    // A digit in front also keeps a body from looking like gzip, which would be marked as such.
    body.write(`${number}|`, 'latin1')
    return body
  }
}

function binary({ attributes, contentType, body }: OracleEvent, host: string): Buffer {
  const headers = attributes.map(([name, value]): [string, string] => [
    `Ce-${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    value
  ])
  if (contentType !== undefined) headers.push(['Content-Type', contentType])
  return Buffer.concat([head(host, body.length, headers), body])
}

function structured({ attributes, contentType, body }: OracleEvent): Record<string, string> {
  return {
    ...Object.fromEntries(attributes),
    ...(contentType === undefined ? {} : { datacontenttype: contentType }),
    data_base64: body.toString('base64')
  }
}

function head(host: string, length: number, headers: [string, string][]): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(
    `POST / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: ${length}\r\n${lines}Accept-Encoding: gzip\r\n\r\n`
  )
}
