import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'

/** A CloudEvent in binary HTTP mode as KServe's agent sends it. */
export interface NumberedEvent {
  number: number
  id: string
  headers: Record<string, string>
  body: Buffer
}

export interface EventOptions {
  type?: 'request' | 'response'
  /** Attribute `inferenceservicename`, hence in the default topic's name. */
  service?: string
  /** Length of the body in bytes; as long as it happens to be unless said. */
  bytes?: number
}

const idPrefix = 'event-'
/** KServe's agent has five serial workers. */
const workers = 5

/** An event whose id and body follow from its number alone: what arrives can be checked without keeping what was sent. */
export function makeEvent(number: number, options: EventOptions = {}): NumberedEvent {
  const { type = 'request', service = 'sklearn-iris', bytes } = options
  const id = `${idPrefix}${number}`
  return {
    number,
    id,
    headers: {
      'Content-Type': 'application/json',
      'Ce-Id': id,
      'Ce-Type': `org.kubeflow.serving.inference.${type}`,
      'Ce-Source': 'http://localhost:9081/',
      'Ce-Specversion': '1.0',
      'Ce-Time': '2026-11-22T10:36:01.389725994Z',
      'Ce-Recordedtime': '2026-11-22T10:36:01.389864388Z',
      'Ce-Inferenceservicename': service,
      'Ce-Namespace': 'default',
      'Ce-Component': 'predictor',
      'Ce-Endpoint': '',
      'Ce-Metadata': '{"X-User":["a user"]}',
      'Ce-Annotations': '{"team":"fraud"}',
      'Accept-Encoding': 'gzip'
    },
    body: bodyOf(number, bytes)
  }
}

/** `count` events, numbered from `first`. */
export function makeEvents(count: number, options: EventOptions & { first?: number } = {}): NumberedEvent[] {
  return Array.from({ length: count }, (_, index) => makeEvent((options.first ?? 0) + index, options))
}

/** The body of event `number`, JSON; filled up to `bytes`, where that is longer, with text that does not compress well. */
export function bodyOf(number: number, bytes = 0): Buffer {
  const [head, tail] = [`{"instances":[[${number},${number * 7 + 1}]],"pad":"`, '"}']
  const missing = Math.max(0, bytes - head.length - tail.length)
  const noise = createHash('shake256', { outputLength: missing }).update(String(number)).digest('base64')
  return Buffer.from(head + noise.slice(0, missing) + tail)
}

/** The number of the event that has this id, as a record's key. NaN for any other key. */
export function numberOf(key: Buffer | null): number {
  const id = key?.toString() ?? ''
  return id.startsWith(idPrefix) ? Number(id.slice(idPrefix.length)) : NaN
}

/**
 * The numbers of the events in these records, where `twice` counts the records beyond the first of an event.
 * @throws when a record is not the one that its event's number asks for
 */
export function numbersIn(
  records: { key: Buffer | null; value: Buffer | null }[],
  bytesOf: (number: number) => number = () => 0
): { numbers: Set<number>; twice: number } {
  const numbers = new Set<number>()
  for (const { key, value } of records) {
    const number = numberOf(key)
    assert.ok(Number.isInteger(number), `a key that no event has: ${String(key)}`)
    assert.ok(value?.equals(bodyOf(number, bytesOf(number))), `not the body of event ${number}: ${String(value)}`)
    numbers.add(number)
  }
  return { numbers, twice: records.length - numbers.size }
}

/** What became of the events of one sending: the numbers that were answered 200, and every other answer. */
export interface SendResult {
  accepted: Set<number>
  /** Status, or the error's code where there was no answer, by number. */
  refused: Map<number, number | string>
}

/** Posts events over keep-alive connections. Close it in the end. */
export class EventSender {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: workers })

  constructor(url: string) {
    this.#url = url
  }

  /** The status of the answer. Rejects when there is none. */
  send({ headers, body }: NumberedEvent): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', agent: this.#agent, headers: { ...headers, 'Content-Length': body.length } }
      const req = request(this.#url, options, response => {
        response.on('error', reject)
        response.on('end', () => resolve(response.statusCode ?? 0))
        response.resume()
      })
      req.on('error', reject)
      req.setTimeout(10_000, () => req.destroy(new Error('no answer in 10 s')))
      req.end(body)
    })
  }

  /** Sends all, five at a time as KServe's agent does; `paceMs` is each worker's pause between two events. */
  async sendAll(events: Iterable<NumberedEvent>, { paceMs = 0 } = {}): Promise<SendResult> {
    const result: SendResult = { accepted: new Set(), refused: new Map() }
    const queue = events[Symbol.iterator]()
    const work = async (): Promise<void> => {
      for (let next = queue.next(); !next.done; next = queue.next()) {
        const event = next.value
        try {
          const status = await this.send(event)
          if (status === 200) result.accepted.add(event.number)
          else result.refused.set(event.number, status)
        } catch (error) {
          result.refused.set(event.number, (error as NodeJS.ErrnoException).code ?? String(error))
        }
        if (paceMs > 0) await new Promise(resolve => setTimeout(resolve, paceMs))
      }
    }
    await Promise.all(Array.from({ length: workers }, work))
    return result
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Sends bytes to an HTTP server as they are, on a connection of their own, and returns the answer's status. */
export function sendRaw(url: string, bytes: Buffer): Promise<number> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let answer = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer in 10 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the connection was closed after: ${answer}`)))
    socket.on('data', chunk => {
      answer += chunk.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]
      if (status === undefined || !answer.includes('\r\n\r\n')) return
      resolve(Number(status))
      socket.destroy()
    })
  })
}
