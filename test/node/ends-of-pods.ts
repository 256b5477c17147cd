import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type NodeCluster, sidecarName, statusOf, terminationOf } from '../support/node/index.ts'

/** As KServe's, and with a little for the kubelet. */
const gracePeriodMs = 45_000
const slackMs = 5000

/** The pod is deleted while predictions still come, as they do until every client has heard of it. */
export function endsOfPods(cluster: () => NodeCluster): void {
  for (const [form, choice] of [
    ['a native sidecar', 'auto'],
    ['an ordinary container', 'never']
  ] as const) {
    it(`as ${form} delivers what the agent sends in its 30 s of drain, and ends with 0`, async t => {
      const predictor = await cluster().predictor(choice === 'auto' ? 'drained' : 'ordinary', {
        annotations: { 'inference-logger.io/native-sidecar': choice },
        model: ['--linger', '20000']
      })
      await predictor.ready()
      await predictor.predict(1000, { perSecond: 20 })
      const before = predictor.answers.acknowledged.size
      const { podName } = predictor
      const log = cluster().kubectl('logs', '--follow', podName, '-c', sidecarName)
      // A failure before it is waited for must not end the tests.
      log.catch(() => {})

      const deletedAt = performance.now()
      await predictor.delete()
      const load = await predictor.predict(3000, { perSecond: 20 })
      assert.deepEqual(load.failures, [])
      assert.ok(predictor.answers.acknowledged.size > before + 50, 'events were taken during the drain')
      await predictor.answers.ended
      const agentMs = performance.now() - deletedAt
      const pod = await predictor.gone()
      const tookMs = performance.now() - deletedAt

      t.diagnostic(`the agent ended ${Math.round(agentMs)} ms, the pod ${Math.round(tookMs)} ms after the deletion`)
      const agent = terminationOf(pod, 'agent')
      const sidecar = terminationOf(pod, sidecarName)
      assert.deepEqual([agent.exitCode, sidecar.exitCode], [0, 0], JSON.stringify({ agent, sidecar }))
      assert.equal(statusOf(pod, sidecarName).restartCount, 0)
      assert.ok(agentMs > 32_000, `the agent ended ${agentMs} ms after the deletion`)
      assert.ok(tookMs < gracePeriodMs + slackMs, `the pod ended ${tookMs} ms after the deletion`)
      // An ordinary container keeps time for its last deliveries and may end before an agent that got events till late.
      if (choice === 'auto')
        assert.ok((sidecar.finishedAt ?? '') >= (agent.finishedAt ?? ''), JSON.stringify(pod.status))
      assert.equal(predictor.answers.refused.size, 0)
      assert.deepEqual(await cluster().missing(predictor), [])
      t.diagnostic((await log).trim().split('\n').at(-1) ?? '')
    })
  }
}
