import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type NodeCluster, isReady, sidecarName, statusOf } from '../support/node/index.ts'

/** Containers that hang, crash or cannot start: what docs/webhook.md says about them. */
export function trouble(cluster: () => NodeCluster): void {
  it('gets a hung sidecar restarted by the kubelet, and loses nothing', async t => {
    const predictor = await cluster().predictor('hung')
    await predictor.ready()
    await cluster().kafkaIsAwayFor(predictor)
    await predictor.predict(1000, { perSecond: 20 })
    const from = performance.now()
    await predictor.signal('SIGSTOP')
    const pod = await predictor.waitFor(
      'the sidecar restarted',
      pod => statusOf(pod, sidecarName).restartCount === 1 && statusOf(pod, sidecarName).started === true,
      180_000
    )
    t.diagnostic(`restarted ${Math.round(performance.now() - from)} ms after it hung`)
    assert.equal(statusOf(pod, 'kserve-container').restartCount, 0)
    assert.equal(statusOf(pod, 'agent').restartCount, 0)
    await cluster().kafkaIsBackFor(predictor)
    await predictor.delivered()
    assert.deepEqual(await cluster().missing(predictor), [])
  })

  it('keeps the sidecar and its journal while the model crash-loops', async t => {
    const predictor = await cluster().predictor('crashing', { model: ['--crash-after', '8000'] })
    await predictor.ready()
    await cluster().kafkaIsAwayFor(predictor)
    await predictor.predict(1000, { perSecond: 20 })
    const { startedAt } = (await predictor.sidecar()).state?.running ?? {}
    const pod = await predictor.waitFor(
      'the model crash-loops',
      pod => statusOf(pod, 'kserve-container').state?.waiting?.reason === 'CrashLoopBackOff'
    )
    t.diagnostic(await cluster().kubectl('get', 'pod', predictor.podName))
    const sidecar = statusOf(pod, sidecarName)
    assert.deepEqual([sidecar.restartCount, sidecar.ready], [0, true])
    assert.equal(sidecar.state?.running?.startedAt, startedAt)
    assert.equal(isReady(pod), false)
    const pending = (await predictor.metrics()).get('inference_logger_events_pending') ?? 0
    assert.ok(pending > 0, 'events wait')
    await cluster().kafkaIsBackFor(predictor)
    await predictor.delivered()
    assert.deepEqual(await cluster().missing(predictor), [])
  })

  it('does not start the model when a native sidecar’s image does not exist, and says so', async t => {
    const predictor = await cluster().predictor('no-image', {
      annotations: { 'inference-logger.io/image': 'localhost/inference-logger:missing' }
    })
    const pod = await predictor.waitFor('the image is not found', pod => backsOff(pod))
    const shown = await cluster().kubectl('get', 'pod', predictor.podName)
    t.diagnostic(shown)
    const columns = '--output=custom-columns=REASON:.reason,MESSAGE:.message'
    const selector = `--field-selector=involvedObject.name=${predictor.podName}`
    const events = await cluster().kubectl('get', 'events', selector, columns)
    t.diagnostic(events)
    assert.match(events, /^Failed +Failed to pull image "localhost\/inference-logger:missing"/m)
    assert.equal(pod.status?.phase, 'Pending')
    assert.match(shown, / 0\/3 +Init:(?:ImagePullBackOff|ErrImagePull) /)
    assert.equal(statusOf(pod, 'kserve-container').state?.waiting?.reason, 'PodInitializing')
  })

  it('starts the model, but is not Ready, when an ordinary sidecar’s image does not exist', async t => {
    const predictor = await cluster().predictor('no-image-ordinary', {
      annotations: {
        'inference-logger.io/image': 'localhost/inference-logger:missing',
        'inference-logger.io/native-sidecar': 'never'
      }
    })
    const pod = await predictor.waitFor(
      'the image is not found, and the model runs',
      pod => backsOff(pod) && statusOf(pod, 'kserve-container').ready && statusOf(pod, 'agent').ready
    )
    t.diagnostic(await cluster().kubectl('get', 'pod', predictor.podName))
    assert.equal(isReady(pod), false)
  })
}

function backsOff(pod: Parameters<typeof statusOf>[0]): boolean {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  return statuses.some(({ name, state }) => name === sidecarName && state?.waiting?.reason === 'ImagePullBackOff')
}
