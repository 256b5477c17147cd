import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeCluster } from '../support/node/index.ts'

const mebibyte = 2 ** 20
/** The kubelet looks at the volumes' use and at their limits every 10 s each. */
const kubeletLooksMs = 45_000

/** The kubelet evicts a pod with a volume that is fuller than its limit: model and all. */
export function fullJournal(cluster: () => NodeCluster): void {
  it('is not evicted when its journal is full', async t => {
    const predictor = await cluster().predictor('full', {
      annotations: {
        'inference-logger.io/max-event-bytes': '4Mi',
        'inference-logger.io/journal-max-bytes': '64Mi',
        'inference-logger.io/dead-letter-max-bytes': '8Mi'
      }
    })
    await predictor.ready()
    await cluster().kafkaIsAwayFor(predictor)
    const load = predictor.load({ perSecond: 20, bodyBytes: mebibyte })
    const { answers } = predictor
    const full = await predictor.waitForMetrics(
      'the journal is full',
      metrics => answers.refused.size > 0 && (metrics.get('inference_logger_journal_bytes') ?? 0) > 56 * mebibyte
    )
    await load.stop()
    t.diagnostic(`${full.get('inference_logger_journal_bytes')} bytes in the journal`)
    await sleep(kubeletLooksMs)

    const { spec, status } = await predictor.pod()
    const limits = (spec?.volumes ?? []).flatMap(({ emptyDir }) => emptyDir?.sizeLimit ?? [])
    t.diagnostic(`the volume's limit: ${limits.join()}`)
    assert.equal(limits.length, 1)
    assert.deepEqual([status?.phase, status?.reason], ['Running', undefined])
    assert.equal((await predictor.sidecar()).restartCount, 0)
    await cluster().kafkaIsBackFor(predictor)
    await predictor.delivered()
    assert.deepEqual(await cluster().missing(predictor), [])
  })
}
