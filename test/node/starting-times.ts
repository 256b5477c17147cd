import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type NodeCluster, sidecarName } from '../support/node/index.ts'

const rounds = 2

/** What the sidecar costs at the start, measured while nothing else runs. */
export function startingTimes(cluster: () => NodeCluster): void {
  it('is Ready hardly later with the sidecar than without', async t => {
    // The first one reads images from the disk.
    await timeToReady(cluster(), true)
    const times = { with: [] as number[], without: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      times.without.push(await timeToReady(cluster(), false))
      times.with.push(await timeToReady(cluster(), true))
    }
    const [plain, injected] = [Math.min(...times.without), Math.min(...times.with)]
    t.diagnostic(`Ready after ${plain} ms without, after ${injected} ms with the sidecar: ${JSON.stringify(times)}`)
    assert.ok(injected - plain < 10_000, `the sidecar added ${injected - plain} ms`)
  })
}

async function timeToReady(cluster: NodeCluster, injected: boolean): Promise<number> {
  const annotations = { 'inference-logger.io/inject': String(injected) }
  const from = performance.now()
  const predictor = await cluster.predictor('start', { annotations })
  await predictor.ready()
  const took = Math.round(performance.now() - from)
  const { spec } = await predictor.pod()
  const [sidecar] = spec?.initContainers ?? []
  assert.deepEqual([sidecar?.name, sidecar?.restartPolicy], injected ? [sidecarName, 'Always'] : [undefined, undefined])
  await cluster.kubectl('delete', 'pod', predictor.podName, '--grace-period=1', '--wait=false')
  await predictor.gone()
  return took
}
