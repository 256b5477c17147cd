/**
 * Preloaded with `node --import`, it kills the process at a named point of an event's life; the program itself knows
 * nothing of it. Configured by the environment:
 *
 * - KILL_POINT: a name of {@link killPoints}
 * - KILL_HIT: at which time that the point is reached; 1 unless said
 * - KILL_WHEN=terminating: only reached points after SIGTERM count
 * - INFERENCE_LOGGER_JOURNAL_DIR: files below it are the journal
 */
import fs from 'node:fs'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { join, sep } from 'node:path'
import Kafka from 'node-rdkafka'
import type { KillPoint } from './points.ts'

const { KILL_POINT, KILL_HIT = '1', KILL_WHEN, INFERENCE_LOGGER_JOURNAL_DIR: journalDir = '' } = process.env
const below = join(journalDir, sep)
/** Of a write that is cut off: the part that is done. */
const TORN_SHARE = 0.6

let left = Number(KILL_HIT)
let counting = KILL_WHEN !== 'terminating'
if (!counting) process.once('SIGTERM', () => (counting = true))

function at(point: KillPoint): void {
  if (isNow(point)) die()
}

function isNow(point: KillPoint): boolean {
  return point === KILL_POINT && counting && --left === 0
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way to all threads; this one must not do anything more.
  for (;;);
}

type Kind = 'segment' | 'released' | 'temporary' | 'letter' | undefined

const kinds = new Map<number, Kind>()

function kindOf(path: unknown): Kind {
  if (typeof path !== 'string' || !path.startsWith(below)) return undefined
  if (path.endsWith('.journal')) return 'segment'
  if (path.endsWith('.released')) return 'released'
  if (path.endsWith('.tmp')) return 'temporary'
  if (path.endsWith('.jsonl')) return 'letter'
  return undefined
}

type AnyFunction = (...args: never[]) => unknown

/** Replaces a function of node:fs; `around` gets the original and the call's arguments. */
function patch<Name extends keyof typeof fs>(
  name: Name,
  around: (original: (...args: unknown[]) => unknown, args: unknown[]) => unknown
): void {
  const original = (fs[name] as AnyFunction).bind(fs) as (...args: unknown[]) => unknown
  Object.assign(fs, { [name]: (...args: unknown[]) => around(original, args) })
}

/** Calls the original with its last argument, the callback, wrapped: `before` is called just before the callback is. */
function withCallback(
  original: (...args: unknown[]) => unknown,
  args: unknown[],
  before: (result: unknown) => void
): unknown {
  const callback = args.at(-1) as (...results: unknown[]) => void
  return original(...args.slice(0, -1), (...results: unknown[]) => {
    if (!results[0]) before(results[1])
    callback(...results)
  })
}

const writePoints = {
  header: { before: 'before-header', torn: 'torn-header', after: 'after-header' },
  segment: { before: 'before-write', torn: 'torn-write', after: 'after-write' },
  released: { before: 'before-released-write', torn: 'torn-released-write', after: 'after-released-write' },
  temporary: { before: 'before-compaction-write', torn: 'torn-compaction-write', after: 'after-compaction-write' },
  letter: { before: 'before-letter-write', torn: 'torn-letter-write', after: 'after-letter-write' }
} as const

/** The points of a write to this file, which is not made whole when the point is a torn one; undefined: not the journal's. */
function pointsOfWrite(args: unknown[]): (typeof writePoints)[keyof typeof writePoints] | undefined {
  const [fd, bytes, offset, length, position] = args as [number, Buffer, number, number, number]
  const kind = kinds.get(fd)
  if (kind === undefined) return undefined
  const points = writePoints[kind === 'segment' && position === 0 ? 'header' : kind]
  at(points.before)
  if (isNow(points.torn)) {
    fs.writevSync(fd, [bytes.subarray(offset, offset + Math.ceil(length * TORN_SHARE))], position)
    die()
  }
  return points
}

patch('openSync', (original, args) => {
  const kind = kindOf(args[0])
  const fd = original(...args) as number
  if (kind !== undefined) kinds.set(fd, kind)
  if (kind === 'segment' && args[1] === 'wx+') at('after-create')
  return fd
})
patch('open', (original, args) => {
  const kind = kindOf(args[0])
  if (kind === undefined) return original(...args)
  return withCallback(original, args, fd => kinds.set(fd as number, kind))
})
for (const name of ['close', 'closeSync'] as const) {
  patch(name, (original, args) => {
    kinds.delete(args[0] as number)
    return original(...args)
  })
}
patch('writeSync', (original, args) => {
  const points = pointsOfWrite(args)
  const written = original(...args)
  if (points !== undefined) at(points.after)
  return written
})
patch('write', (original, args) => {
  const points = pointsOfWrite(args)
  if (points === undefined) return original(...args)
  return withCallback(original, args, () => at(points.after))
})
for (const name of ['fdatasync', 'fdatasyncSync'] as const) {
  patch(name, (original, args) => {
    if (kinds.get(args[0] as number) === undefined) return original(...args)
    at('before-sync')
    if (name === 'fdatasync') return withCallback(original, args, () => at('after-sync'))
    const result = original(...args)
    at('after-sync')
    return result
  })
}
for (const name of ['read', 'readSync'] as const) {
  patch(name, (original, args) => {
    if (kinds.get(args[0] as number) !== 'segment') return original(...args)
    if (name === 'read') return withCallback(original, args, () => at('after-read'))
    const result = original(...args)
    at('after-read')
    return result
  })
}
for (const name of ['unlink', 'unlinkSync'] as const) {
  patch(name, (original, args) => {
    const kind = kindOf(args[0])
    if (kind !== 'segment' && kind !== 'released') return original(...args)
    const what = kind === 'segment' ? 'unlink' : 'released-unlink'
    at(`before-${what}`)
    if (name === 'unlink') return withCallback(original, args, () => at(`after-${what}`))
    const result = original(...args)
    at(`after-${what}`)
    return result
  })
}
patch('renameSync', (original, args) => {
  if (kindOf(args[0]) === undefined) return original(...args)
  at('before-rename')
  const result = original(...args)
  at('after-rename')
  return result
})
patch('ftruncateSync', (original, args) => {
  if (kinds.get(args[0] as number) !== 'segment') return original(...args)
  at('before-truncate')
  const result = original(...args)
  at('after-truncate')
  return result
})
syncBuiltinESMExports()

type WriteHead = (this: ServerResponse, status: number, ...rest: unknown[]) => ServerResponse
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this` below
const writeHead = ServerResponse.prototype.writeHead as WriteHead
ServerResponse.prototype.writeHead = function (this: ServerResponse<IncomingMessage>, status: number, ...rest) {
  if (this.req.method === 'POST' && status === 200) {
    at('before-reply')
    this.once('finish', () => at('after-reply'))
  }
  return writeHead.call(this, status, ...rest)
} as WriteHead

type ProducerMethods = Record<'produce' | 'on', (this: unknown, ...args: unknown[]) => unknown>
const producer = Kafka.Producer.prototype as unknown as ProducerMethods
const { produce, on } = producer
producer.produce = function (...args) {
  const result = produce.apply(this, args)
  at('after-produce')
  return result
}
producer.on = function (event, listener, ...rest) {
  if (event !== 'delivery-report') return on.call(this, event, listener, ...rest)
  const report = listener as (...args: unknown[]) => void
  return on.call(this, event, (...args: unknown[]) => {
    at('before-report')
    report(...args)
    at('after-report')
  })
}
