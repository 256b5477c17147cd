import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LoadOrder, LoadResult } from './load.ts'
import { processCpuUs } from './process-stats.ts'
import type { Sink } from './sinks.ts'

/** One sink's figures of one round. */
export interface Round {
  events: number
  eventsPerSecond: number
  /** Whole process, until every event reached Kafka (for sinks that do not tell: until the process was idle). */
  cpuUsPerEvent: number
  p50Ms: number
  p99Ms: number
  /** Milliseconds from the last answer until all was in Kafka, or the process was idle. */
  drainMs: number
  /** Why the round is no good. */
  failures: string[]
}

const drainLimitMs = 20_000
// a sink with much to do in the background is never idle
const idleLimitMs = 10_000

/** The process that makes the load. */
export class LoadGenerator {
  #child: ChildProcess

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./load.js', import.meta.url)))
  }

  /** @throws Error when the sink cannot be connected to */
  async run(order: LoadOrder): Promise<LoadResult> {
    this.#child.send(order)
    const [message] = (await once(this.#child, 'message')) as [{ result?: LoadResult; error?: string }]
    if (!message.result) throw new Error(`load on ${order.url}: ${message.error ?? 'no result'}`)
    return message.result
  }

  stop(): void {
    this.#child.kill()
  }
}

/** What a sink has delivered over all its rounds, to compare with what it says. */
export class Ledger {
  #answered = new Map<Sink, number>()

  add(sink: Sink, events: number): number {
    const sum = (this.#answered.get(sink) ?? 0) + events
    this.#answered.set(sink, sum)
    return sum
  }
}

/** Loads one sink once and waits until what it took is in Kafka. */
export async function measure(
  sink: Sink,
  load: LoadGenerator,
  ledger: Ledger,
  order: Omit<LoadOrder, 'url' | 'any2xx'>
): Promise<Round> {
  const cpuBefore = processCpuUs(sink.pid)
  const result = await load.run({ ...order, url: sink.url, any2xx: sink.any2xx })
  const answeredAt = performance.now()
  const failures: string[] = []
  if (result.otherStatus > 0) failures.push(`${result.otherStatus} answers other than 200`)
  if (result.errors > 0) failures.push(`${result.errors} events without an answer`)
  if (result.ok === 0) failures.push('no event was answered with 200')
  const expected = ledger.add(sink, result.ok)
  const missing = sink.delivered ? await untilDelivered(sink.delivered, expected) : await untilIdle(sink.pid)
  if (missing !== 0) failures.push(`delivered_total is ${expected - missing}, events answered with 200 are ${expected}`)
  return {
    events: result.ok,
    eventsPerSecond: result.ok / (result.elapsedMs / 1000),
    cpuUsPerEvent: (processCpuUs(sink.pid) - cpuBefore) / result.ok,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    drainMs: performance.now() - answeredAt,
    failures
  }
}

/** @returns how many events are missing after the drain limit: 0 is right, below 0 are duplicates */
async function untilDelivered(delivered: () => Promise<number>, expected: number): Promise<number> {
  const deadline = performance.now() + drainLimitMs
  for (;;) {
    const missing = expected - (await delivered())
    if (missing <= 0 || performance.now() > deadline) return missing
    await sleep(50)
  }
}

async function untilIdle(pid: number): Promise<0> {
  const deadline = performance.now() + idleLimitMs
  for (let before = processCpuUs(pid); performance.now() < deadline;) {
    await sleep(100)
    const now = processCpuUs(pid)
    if (now === before) break
    before = now
  }
  return 0
}
