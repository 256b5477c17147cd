import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { formatRequest } from '../test/support/kserve-agent/request.ts'
import { Histogram } from './histogram.ts'

/** One run of load: sent to this process over IPC. */
export interface LoadOrder {
  url: string
  seconds: number
  connections: number
  /** Events a second of the open loop; 0: closed loop, each connection sends as soon as it has an answer. */
  rate: number
  /** Count any 2xx as taken, not 200 alone. */
  any2xx: boolean
}

/** What came of it: sent back over IPC. */
export interface LoadResult {
  /** Events that were answered as ordered. */
  ok: number
  otherStatus: number
  errors: number
  /** From the first request to the last answer. */
  elapsedMs: number
  p50Ms: number
  p99Ms: number
  /** Open loop: the most events that waited for a free connection. */
  backlogPeak: number
}

const answer200 = Buffer.from('HTTP/1.1 200 ')
// the closing of a run waits this long for the last answers
const graceMs = 10_000

/** The captured request with 13 headers of its own and 51 bytes of body, and where its id's counter is. */
function template(url: URL, connection: number): { bytes: Buffer; counterAt: number } {
  const prefix = `7885ca5d-6d88-4447-b2c5-${(process.pid % 0x10000).toString(16).padStart(4, '0')}${connection.toString(16)}`
  const bytes = formatRequest(
    url,
    {
      type: connection % 2 === 0 ? 'request' : 'response',
      id: `${prefix}0000000`,
      body: Buffer.from('{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}'),
      contentType: 'application/json',
      occurredAt: BigInt(Date.now()) * 1_000_000n + 679_002n
    },
    {
      inferenceService: 'sklearn-iris',
      namespace: 'default',
      component: 'predictor',
      source: 'http://localhost:9081/',
      metadata: { 'X-Request-Id': ['abc-123'], 'X-User': ['zoë'] },
      annotations: { note: 'a<b & é', team: 'fraud' },
      recordedTime: true
    }
  )
  return { bytes, counterAt: bytes.indexOf(prefix) + prefix.length }
}

let counter = 0
const hexDigits = Buffer.from('0123456789abcdef')

function nextId(bytes: Buffer, at: number): void {
  let value = counter++
  for (let digit = at + 6; digit >= at; digit--) {
    bytes[digit] = hexDigits[value & 15] ?? 48
    value >>>= 4
  }
}

/** Runs the load; resolves when every request sent has its answer, or ten seconds after the last was sent. */
async function run(order: LoadOrder): Promise<LoadResult> {
  const url = new URL(order.url)
  const latencies = new Histogram()
  const result: LoadResult = { ok: 0, otherStatus: 0, errors: 0, elapsedMs: 0, p50Ms: 0, p99Ms: 0, backlogPeak: 0 }
  const good = order.any2xx ? 'HTTP/1.1 2'.length : answer200.length
  const free: ((since: number) => void)[] = []
  const backlog: number[] = []
  let outstanding = 0
  let stopping = false
  let done: () => void = () => {}
  const finished = new Promise<void>(resolve => (done = resolve))

  const open = (index: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const { bytes, counterAt } = template(url, index)
      const socket = connect({
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: Number(url.port || 80),
        noDelay: true
      })
      let sentAt = 0
      let waiting = false
      let partial: Buffer | undefined
      const send = (since: number): void => {
        nextId(bytes, counterAt)
        sentAt = since
        waiting = true
        outstanding++
        socket.write(bytes)
      }
      const ready = (): void => {
        if (stopping) {
          if (outstanding === 0) done()
        } else if (order.rate === 0) send(performance.now())
        else {
          // its clock has run since it was due: else a slow sink would slow the clock with it
          const due = backlog.shift()
          if (due !== undefined) send(due)
          else free.push(send)
        }
      }
      socket.on('data', (chunk: Buffer) => {
        const data: Buffer = partial ? Buffer.concat([partial, chunk]) : chunk
        const end = data.indexOf('\r\n\r\n')
        const length = end < 0 ? 0 : bodyLength(data, end)
        if (end < 0 || data.length < end + 4 + length) {
          partial = data
          return
        }
        partial = undefined
        latencies.add(performance.now() - sentAt)
        outstanding--
        waiting = false
        if (data.compare(answer200, 0, good, 0, good) === 0) result.ok++
        else result.otherStatus++
        ready()
      })
      socket.once('connect', () => {
        resolve(socket)
        ready()
      })
      socket.on('error', reject)
      socket.on('close', () => {
        if (waiting) {
          outstanding--
          result.errors++
        }
        if (stopping) {
          if (outstanding === 0) done()
          return
        }
        // not at once: a sink that is gone would make a busy loop of it
        setTimeout(() => void open(index).catch(() => result.errors++), 20)
      })
    })

  const started = performance.now()
  const sockets = await Promise.all(Array.from({ length: order.connections }, (_, index) => open(index)))
  if (order.rate > 0) await pace(order, started, free, backlog, result)
  else await new Promise(resolve => setTimeout(resolve, order.seconds * 1000))
  stopping = true
  if (outstanding === 0) done()
  const grace = setTimeout(() => done(), graceMs)
  await finished
  clearTimeout(grace)
  result.elapsedMs = performance.now() - started
  result.errors += outstanding + backlog.length
  for (const socket of sockets) socket.destroy()
  return { ...result, p50Ms: latencies.quantile(0.5), p99Ms: latencies.quantile(0.99) }
}

function bodyLength(data: Buffer, headEnd: number): number {
  // nearly every answer is an empty 200: look for the length without taking the head apart
  const at = data.indexOf('ontent-', 0)
  if (at < 0 || at > headEnd) return 0
  return Number(/content-length: *(\d+)/i.exec(data.toString('latin1', 0, headEnd))?.[1] ?? 0)
}

/** Hands out events at the rate, several a millisecond when the timer comes late. */
async function pace(
  order: LoadOrder,
  started: number,
  free: ((since: number) => void)[],
  backlog: number[],
  result: LoadResult
): Promise<void> {
  const total = Math.round(order.rate * order.seconds)
  let given = 0
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      const now = performance.now()
      const due = Math.min(total, Math.floor(((now - started) / 1000) * order.rate))
      for (; given < due; given++) {
        const send = free.pop()
        if (send) send(now)
        else backlog.push(now)
      }
      result.backlogPeak = Math.max(result.backlogPeak, backlog.length)
      const late = now - started > order.seconds * 1000 + graceMs
      if (!late && (given < total || backlog.length > 0)) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
}

process.on('message', (order: LoadOrder) => {
  run(order).then(
    result => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) })
  )
})
process.on('disconnect', () => process.exit(0))
