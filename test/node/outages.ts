import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCluster } from '../support/kafka/index.ts'
import { eventually } from '../support/kubernetes/wait.ts'
import { type NodeCluster, type Predictor, sidecarName, statusOf } from '../support/node/index.ts'

/** A machine that is busy with other things takes its time. */
const patienceMs = 60_000

/** Kafka is away. */
export function outages(cluster: () => NodeCluster): void {
  it('loses nothing when the sidecar is killed under load while Kafka is away', async t => {
    const predictor = await cluster().predictor('killed')
    await predictor.ready()
    await predictor.predict(1000, { perSecond: 50 })
    await cluster().kafkaIsAwayFor(predictor)
    const load = predictor.load({ perSecond: 100 })
    await eventually('a backlog', () => predictor.answers.acknowledged.size > 500, patienceMs)
    const before = predictor.answers.acknowledged.size
    await predictor.signal('SIGKILL')
    const killedAt = performance.now()
    await restarted(predictor, 1)
    await eventually('events are taken again', () => predictor.answers.acknowledged.size > before + 100, patienceMs)
    t.diagnostic(`took events again ${Math.round(performance.now() - killedAt)} ms after it was killed`)
    await sleep(2000)
    await load.stop()
    assert.deepEqual(load.failures, [], 'predictions do not depend on the sidecar')

    await cluster().kafkaIsBackFor(predictor)
    await predictor.delivered()
    assert.deepEqual(await cluster().missing(predictor), [])
    const { acknowledged, refused } = predictor.answers
    t.diagnostic(`${acknowledged.size} events were answered 200, ${refused.size} came while there was no sidecar`)
  })

  it('is Ready, and takes events, before there is any Kafka', async t => {
    const { bootstrap } = cluster().kafka
    const kafka = await KafkaCluster.prepare({ host: bootstrap.split(':')[0] ?? '' })
    t.after(() => kafka.close())
    const predictor = await cluster().predictor('early', {
      annotations: { 'inference-logger.io/brokers': kafka.bootstrap }
    })
    await predictor.ready()
    await predictor.predict(1000, { perSecond: 20 })
    assert.equal(predictor.answers.refused.size, 0)
    assert.ok(predictor.answers.acknowledged.size >= 10, `${predictor.answers.acknowledged.size} events`)

    await kafka.startAll()
    await predictor.delivered()
    const records = await kafka.fingerprint([predictor.topic], {})
    assert.equal(records.length, predictor.answers.acknowledged.size)
    assert.equal((await predictor.sidecar()).restartCount, 0)
  })
}

async function restarted(predictor: Predictor, times: number): Promise<void> {
  await predictor.waitFor(`${times} restarts of the sidecar`, pod => {
    const { restartCount, started } = statusOf(pod, sidecarName)
    return restartCount === times && started === true
  })
}
