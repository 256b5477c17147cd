import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { reviewPod } from '../../webhook/review-pod.ts'
import type { Review } from '../../webhook/review.ts'
import type { Settings } from '../../webhook/settings/settings.ts'
import { loggingPod, podWith, SETTINGS } from './pods.ts'

function review(pod: unknown, settings: Partial<Settings> = {}): Review {
  return reviewPod({ pod, namespace: 'models', settings: { ...SETTINGS, ...settings } })
}

function annotated(annotations: Record<string, string>): ReturnType<typeof podWith> {
  return loggingPod({
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`inference-logger.io/${name}`, value])
    )
  })
}

describe('a pod with wrong annotations', () => {
  const wrong = annotated({ format: 'xml', topicc: 'x', durability: 'disk' })

  test('is denied with all mistakes', () => {
    const { report, patch } = review(wrong)
    assert.equal(report.result, 'deny')
    assert.deepEqual(
      report.reasons.map(({ code }) => code),
      ['invalid_annotation', 'invalid_annotation', 'invalid_annotation']
    )
    assert.match(
      report.reasons.map(({ message }) => message).join('; '),
      /topicc is no annotation.*format="xml" has to be one of.*durability="disk"/
    )
    assert.deepEqual(patch, [])
  })

  test('runs without the sidecar where settings say so', () => {
    const { report, patch } = review(wrong, { annotations: { allow: [], forbid: [], onMistake: 'skip' } })
    assert.equal(report.result, 'skip')
    assert.equal(report.reasons.length, 3)
    assert.deepEqual(
      patch.map(({ op, path }) => [op, path]),
      [['add', '/metadata/annotations/inference-logger.io~1status']]
    )
  })

  test('is denied for values that are wrong only together, in the annotations’ words', () => {
    const { report } = review(annotated({ 'journal-max-bytes': '8Mi', 'max-event-bytes': '6Mi' }))
    assert.equal(report.result, 'deny')
    assert.match(
      report.reasons[0]?.message ?? '',
      /^inference-logger\.io\/journal-max-bytes="8Mi" is too small for the largest event/
    )
    assert.equal(review(annotated({ 'journal-max-bytes': '12Mi', 'max-event-bytes': '6Mi' })).report.result, 'inject')
  })

  test('is denied for a value that is no text, in a manifest that no API server has seen', () => {
    const pod = loggingPod({ annotations: { 'inference-logger.io/topic-partitions': 3, 'somebody-elses': 4 } })
    const { report } = review(pod)
    assert.deepEqual(
      report.reasons.map(({ message }) => message),
      ['inference-logger.io/topic-partitions has to be a text: put the value in quotes']
    )
  })

  test('is not denied where no sidecar would be in it', () => {
    const pod = podWith({ sink: 'http://a-broker', annotations: { 'inference-logger.io/format': 'xml' } })
    assert.equal(review(pod).report.result, 'skip')
  })

  test('is denied for a wrong `inject`, which may have been meant to turn it on', () => {
    const pod = podWith({ annotations: { 'inference-logger.io/inject': 'yes' } })
    assert.equal(review(pod).report.result, 'deny')
  })

  test('is not denied for that where nothing could be injected anyway', () => {
    const pod = podWith({ annotations: { 'inference-logger.io/inject': 'yes' }, spec: { hostNetwork: true } })
    assert.equal(review(pod).report.result, 'skip')
  })
})

describe('what is written on a pod', () => {
  const status = (pod: object, settings: Partial<Settings> = {}): unknown => {
    const operation = review(pod, settings).patch.find(({ path }) => path.endsWith('inference-logger.io~1status'))
    return operation?.op === 'add' ? JSON.parse(operation.value as string) : undefined
  }

  test('that it has the sidecar, why, and in which form', () => {
    assert.deepEqual(status(loggingPod()), { result: 'inject', reasons: ['loopback_sink'], mode: 'native' })
    assert.deepEqual(status(annotated({ 'native-sidecar': 'never' })), {
      result: 'inject',
      reasons: ['loopback_sink'],
      mode: 'container'
    })
  })

  test('that it has none, and why', () => {
    assert.deepEqual(status(podWith({ sink: 'http://a-broker', spec: { hostNetwork: true } })), {
      result: 'skip',
      reasons: ['host_network', 'sink_not_loopback']
    })
  })

  test('nothing on pods that are not KServe’s', () => {
    assert.deepEqual(review(podWith({ labels: { 'serving.kserve.io/inferenceservice': undefined } })).patch, [])
  })

  test('a note that somebody copied into a template neither stops the injection nor stays', () => {
    const copied = '{"result":"skip","reasons":["no_logger"]}'
    assert.equal(review(annotated({ status: copied })).report.result, 'inject')
    assert.deepEqual(status(annotated({ status: copied })), {
      result: 'inject',
      reasons: ['loopback_sink'],
      mode: 'native'
    })
  })
})

test('only the lost restartPolicy is added to a sidecar that an old webhook stripped', () => {
  const args = ['sidecar']
  const ports = [{ name: 'il-metrics' }]
  const pod = loggingPod({ spec: { initContainers: [{ name: 'first' }, { name: 'inference-logger', args, ports }] } })
  const { report, patch } = review(pod)
  assert.equal(report.result, 'inject')
  assert.deepEqual(patch, [{ op: 'add', path: '/spec/initContainers/1/restartPolicy', value: 'Always' }])
})
