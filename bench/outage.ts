import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadGenerator } from './measure.ts'
import { peakRssBytes } from './process-stats.ts'
import { startSidecar, type SidecarOptions } from './sinks.ts'

/** An address where nobody listens. */
const NOBODY = '127.0.0.1:1'
const ROUND_SECONDS = 5
const REPLAY_LIMIT_MS = 300_000

/**
 * Kafka is away while events come as fast as they are answered, until the journal is full or the time is over; then the
 * process is killed, and started again with Kafka there.
 * @param seconds of load
 * @returns the figures as text
 * @throws Error when an answered event does not reach Kafka
 */
export async function measureOutage(
  options: SidecarOptions,
  load: LoadGenerator,
  seconds: number,
  connections: number
): Promise<string> {
  const journal = mkdtempSync(join(tmpdir(), 'inference-logger-outage-'))
  const env = { ...options.env, INFERENCE_LOGGER_JOURNAL_DIR: journal }
  const lines: string[] = []
  try {
    const away = await startSidecar({ ...options, brokers: NOBODY, env })
    let answered = 0
    let refused = 0
    const start = performance.now()
    while (refused === 0 && performance.now() - start < seconds * 1000) {
      const result = await load.run({ url: away.url, seconds: ROUND_SECONDS, connections, rate: 0, any2xx: false })
      answered += result.ok
      refused += result.otherStatus
      const eventsPerSecond = result.ok / (result.elapsedMs / 1000)
      lines.push(
        `Kafka away ${String(Math.round((performance.now() - start) / 1000)).padStart(4)} s: ${eventsPerSecond.toFixed(0)} events/s answered 200, ${result.otherStatus} refused, ` +
          `p99 ${result.p99Ms.toFixed(2)} ms, peak memory ${(peakRssBytes(away.pid) / 1024 ** 2).toFixed(0)} MiB`
      )
    }
    process.kill(away.pid, 'SIGKILL')
    await away.stop()
    const back = await startSidecar({ ...options, env })
    const replayStart = performance.now()
    let delivered = 0
    try {
      while (delivered < answered) {
        await sleep(50)
        delivered = (await back.delivered?.()) ?? 0
        if (performance.now() - replayStart > REPLAY_LIMIT_MS) {
          throw new Error(`${delivered} of ${answered} answered events are in Kafka`)
        }
      }
      const replaySeconds = (performance.now() - replayStart) / 1000
      lines.push(
        `killed, started again with Kafka there: ready after ${back.readyMs.toFixed(0)} ms; ${answered} answered events replayed in ${replaySeconds.toFixed(1)} s, ` +
          `${(answered / replaySeconds).toFixed(0)} a second; peak memory ${(peakRssBytes(back.pid) / 1024 ** 2).toFixed(0)} MiB`
      )
    } finally {
      await back.stop()
    }
  } finally {
    rmSync(journal, { recursive: true, force: true })
  }
  return lines.join('\n')
}
