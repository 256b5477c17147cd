import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { drain, type DrainOptions, type DrainResult } from '../../sidecar/shutdown.ts'

/** A receiver and a store as a drain sees them, on a clock that the system moves. */
class Scene {
  readonly #start = performance.now()
  #lastRequestAt = performance.now() - 60_000
  stoppedAt: number | undefined
  pending = 0
  /** Of these, in memory only; undefined: all. */
  volatile: number | undefined
  readonly lines: { level: string; msg: string; undelivered?: number }[] = []

  get elapsed(): number {
    return performance.now() - this.#start
  }

  request(): void {
    this.#lastRequestAt = performance.now()
  }

  async drain(options: Pick<DrainOptions, 'drainIdleMs' | 'gracePeriodMs'>): Promise<[DrainResult, number]> {
    const write = (line: string): void => void this.lines.push(JSON.parse(line) as Scene['lines'][number])
    const idleMs = (): number => performance.now() - this.#lastRequestAt
    const result = await drain({
      receiver: {
        get idleMs() {
          return idleMs()
        },
        stop: () => {
          this.stoppedAt = this.elapsed
          return Promise.resolve()
        }
      },
      store: this.#store(),
      logger: createLogger('trace', 'test', { write }),
      replyMs: 1000,
      ...options
    })
    return [result, this.elapsed]
  }

  #store(): DrainOptions['store'] {
    const pending = (): number => this.pending
    const volatile = (): number => this.volatile ?? this.pending
    return {
      get pendingEvents() {
        return pending()
      },
      get volatileEvents() {
        return volatile()
      }
    }
  }
}

describe('a drain', { concurrency: true }, () => {
  test('takes events until none came for the idle time, counted from the signal', async () => {
    const scene = new Scene()
    const [result, took] = await scene.drain({ drainIdleMs: 150, gracePeriodMs: 5000 })
    assert.deepEqual(result, { undelivered: 0, lost: 0 })
    assert.ok((scene.stoppedAt ?? 0) >= 145, 'a model that was quiet before may still get its last requests')
    assert.ok(took < 1500)
  })

  test('goes on taking while events come, but leaves half of a short grace period for delivering', async () => {
    const scene = new Scene()
    const sending = setInterval(() => scene.request(), 20)
    await scene.drain({ drainIdleMs: 200, gracePeriodMs: 800 })
    clearInterval(sending)
    const { stoppedAt = 0 } = scene
    assert.ok(stoppedAt >= 390 && stoppedAt < 790, `stopped taking after ${stoppedAt} ms`)
  })

  test('waits for what is pending, and ends when that is delivered', async () => {
    const scene = new Scene()
    scene.pending = 3
    setTimeout(() => (scene.pending = 0), 300)
    const [result, took] = await scene.drain({ drainIdleMs: 20, gracePeriodMs: 20_000 })
    assert.deepEqual(result, { undelivered: 0, lost: 0 })
    assert.ok(took >= 290 && took < 2000, `${took} ms`)
    assert.deepEqual(
      scene.lines.map(({ level }) => level),
      ['info']
    )
  })

  test('ends at the grace period, and says what is lost', async () => {
    const scene = new Scene()
    scene.pending = 12
    const [result, took] = await scene.drain({ drainIdleMs: 20, gracePeriodMs: 300 })
    assert.deepEqual(result, { undelivered: 12, lost: 12 })
    assert.ok(took >= 295 && took < 1500, `${took} ms`)
    const [line] = scene.lines
    assert.equal(line?.level, 'error')
    assert.equal(line.undelivered, 12)
    assert.match(line.msg, /12 accepted events/)
  })

  test('that leaves events in the journal is no loss, and says where they are', async () => {
    const scene = new Scene()
    scene.pending = 12
    scene.volatile = 0
    const [result] = await scene.drain({ drainIdleMs: 20, gracePeriodMs: 300 })
    assert.deepEqual(result, { undelivered: 12, lost: 0 })
    const [line] = scene.lines
    assert.equal(line?.level, 'warn')
    assert.match(line.msg, /12 accepted events .* in the journal/)
  })
})
