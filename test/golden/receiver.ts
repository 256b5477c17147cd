import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import type { Irregularity } from '../../sidecar/cloudevents/errors.ts'
import type { HeaderDecoding } from '../../sidecar/cloudevents/header-values.ts'
import { createHandler } from '../../sidecar/receiver/handler.ts'
import { ReceiverServer } from '../../sidecar/receiver/server.ts'
import { createEnricher, type Environment } from '../../sidecar/records/enrich.ts'
import { parseTopicTemplate, topicOf } from '../../sidecar/records/topic.ts'
import { MemoryStore } from '../../sidecar/store/memory-store.ts'
import type { StoredEvent } from '../../sidecar/store/store.ts'
import { takeAll } from '../store/take-all.ts'

/** What became of a request. */
export interface Received {
  status: number
  /** The reply's body. */
  body: string
  stored: StoredEvent[]
  irregular: Irregularity[]
}

/** When everything here was received: 2026-11-22T12:00:00.250Z. */
export const receivedAt = Date.UTC(2026, 10, 22, 12, 0, 0, 250)

const nothing: Environment = {
  podName: '',
  podNamespace: '',
  nodeName: '',
  inferenceServiceName: '',
  component: '',
  revision: ''
}

/**
 * Starts the real receiver, its clock stopped, on a memory store.
 * @returns a function that sends the bytes of one HTTP request over a connection of their own
 */
export async function startReceiver(
  t: TestContext,
  { decoding = 'auto', environment = {} }: { decoding?: HeaderDecoding; environment?: Partial<Environment> } = {}
): Promise<(request: Buffer) => Promise<Received>> {
  const store = new MemoryStore(2 ** 30)
  const enrich = createEnricher({ ...nothing, ...environment })
  const topic = parseTopicTemplate('{inferenceservicename}-inference-topic')
  const known = parseTopicTemplate('inference')
  let irregular: Irregularity[] = []
  const handler = createHandler({
    store,
    observer: {
      received: () => {},
      acknowledged: () => {},
      rejected: () => {},
      irregular: what => irregular.push(what),
      failed: error => assert.fail(String(error))
    },
    enrich: event => enrich(event, receivedAt),
    topicOf: event =>
      topicOf(event.attributes.some(({ name }) => name === 'inferenceservicename') ? topic : known, event),
    headerDecoding: decoding,
    maxEventBytes: 10 * 2 ** 20
  })
  const limits = { maxConnections: 10, requestTimeout: 10_000 }
  const server = new ReceiverServer([{ host: '127.0.0.1', port: 0 }], limits, handler, () => {})
  const [address = ''] = await server.start()
  t.after(() => server.stop(0))
  const port = Number(new URL(address.includes('://') ? address : `http://${address}`).port)

  return async request => {
    irregular = []
    const reply = await exchange(port, request)
    const stored = takeAll(store)
    for (const one of stored) store.release(one)
    return { ...reply, stored, irregular }
  }
}

/** The bytes of a request; header values go as UTF-8. */
export function httpRequest(headers: Readonly<Record<string, string>>, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body)
  const all = { Host: 'localhost', ...headers, 'Content-Length': String(bytes.length) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\n${lines.join('')}\r\n`), bytes])
}

function exchange(port: number, request: Buffer): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    let reply = ''
    socket.setTimeout(5000, () => socket.destroy(new Error(`no whole reply in 5 s: ${reply}`)))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the connection was closed after: ${reply}`)))
    socket.on('data', chunk => {
      reply += chunk.toString('latin1')
      const [head = '', body] = reply.split('\r\n\r\n', 2)
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1])
      if (body === undefined || body.length < length) return
      resolve({ status: Number(head.slice(9, 12)), body })
      socket.destroy()
    })
  })
}
