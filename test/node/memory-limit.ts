import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cgroup, NodeCluster } from '../support/node/index.ts'

const mebibyte = 2 ** 20
/** SOAK_MINUTES=3: how long Kafka is away; long enough for a CI unless said. */
const awayMs = (Number(process.env['SOAK_MINUTES']) || 1.25) * 60_000

/** The smallest limit that the documentation names. */
export function memoryLimit(cluster: () => NodeCluster): void {
  it('stays within 128Mi while Kafka is away under load, and when everything is sent at once afterwards', async t => {
    const predictor = await cluster().predictor('memory', {
      annotations: { 'inference-logger.io/memory-limit': '128Mi' }
    })
    await predictor.ready()
    const cgroup = await predictor.cgroup()
    assert.equal(cgroup.memory?.limit, 128 * mebibyte)
    const watch = new MemoryWatch(cgroup)
    t.after(() => watch.stop())
    const { answers } = predictor

    const load = predictor.load({ perSecond: 150, bodyBytes: 4000 })
    await sleep(2000)
    await cluster().kafkaIsAwayFor(predictor)
    watch.phase = 'Kafka away'
    await sleep(awayMs)
    const waiting = (await predictor.metrics()).get('inference_logger_events_pending') ?? 0
    watch.phase = 'replay'
    await cluster().kafkaIsBackFor(predictor)
    const from = performance.now()
    await predictor.waitForMetrics('caught up', metrics => (metrics.get('inference_logger_events_pending') ?? 0) < 500)
    const replayMs = Math.round(performance.now() - from)
    await load.stop()
    await predictor.delivered()

    const [memory, { restartCount }] = [cgroup.memory, await predictor.sidecar()]
    t.diagnostic(`${waiting} events waited after ${awayMs / 1000} s and were sent in ${replayMs} ms`)
    t.diagnostic(`peak: ${memory?.peak} bytes charged, anonymous: ${JSON.stringify(watch.peaks)}`)
    assert.ok(waiting > 1000, `${waiting} events waited`)
    assert.equal(restartCount, 0)
    assert.equal(memory?.oomKills, 0)
    assert.deepEqual([...answers.refused], [])
    assert.deepEqual(await cluster().missing(predictor), [])
  })
}

/** The most anonymous memory of each phase, in MiB. */
class MemoryWatch {
  readonly peaks: Record<string, number> = {}
  phase = 'Kafka there'
  readonly #timer: NodeJS.Timeout

  constructor(cgroup: Cgroup) {
    this.#timer = setInterval(() => {
      const mebibytes = Math.round((cgroup.memory?.anonymous ?? 0) / mebibyte)
      this.peaks[this.phase] = Math.max(this.peaks[this.phase] ?? 0, mebibytes)
    }, 200)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
