import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { createEnricher, type Environment } from '../../sidecar/records/enrich.ts'
import { isGzip } from '../../sidecar/records/gzip.ts'
import { eventWith } from './events.ts'

const environment: Environment = {
  podName: 'a-pod',
  podNamespace: 'a-namespace',
  nodeName: 'a-node',
  inferenceServiceName: 'iris',
  component: 'predictor',
  revision: 'iris-00001'
}
const receivedAt = Date.UTC(2026, 10, 22, 1, 2, 3, 40)

/** What enrichment added to an event. */
function added(event: CloudEvent, from: Partial<Environment> = {}, at = receivedAt): Record<string, unknown> {
  const unknown: Environment = {
    podName: '',
    podNamespace: '',
    nodeName: '',
    inferenceServiceName: '',
    component: '',
    revision: ''
  }
  const before = structuredClone(event.attributes)
  createEnricher({ ...unknown, ...from })(event, at)
  assert.deepEqual(event.attributes.slice(0, before.length), before, 'what was there stays, in its place')
  return Object.fromEntries(event.attributes.slice(before.length).map(({ name, value }) => [name, value]))
}

describe('enrichment', () => {
  test('adds what the pod knows, and when the event was received in UTC, with the milliseconds that are known', () => {
    assert.deepEqual(added(eventWith(), environment), {
      inferenceservicename: 'iris',
      namespace: 'a-namespace',
      component: 'predictor',
      pod: 'a-pod',
      node: 'a-node',
      revision: 'iris-00001',
      receivedtime: '2026-11-22T01:02:03.040Z'
    })
  })

  test('adds nothing that is not known', () => {
    assert.deepEqual(added(eventWith()), { receivedtime: '2026-11-22T01:02:03.040Z' })
    assert.deepEqual(Object.keys(added(eventWith(), { nodeName: 'n' })), ['node', 'receivedtime'])
  })

  test('leaves alone what the event has, also where it is empty', () => {
    const event = eventWith({
      inferenceservicename: 'its-own',
      namespace: '',
      component: 'transformer',
      pod: '',
      receivedtime: 'then'
    })
    assert.deepEqual(added(event, environment), { node: 'a-node', revision: 'iris-00001' })
  })

  test('tells the time of each event', () => {
    const enrich = createEnricher(environment)
    const times = [receivedAt, receivedAt, receivedAt + 1, receivedAt].map(at => {
      const event = eventWith()
      enrich(event, at)
      return event.attributes.at(-1)?.value
    })
    assert.deepEqual(
      times.map(time => String(time).slice(20)),
      ['040Z', '040Z', '041Z', '040Z']
    )
  })

  test('marks data that is gzip, whatever its content type says', () => {
    const event = eventWith({ datacontenttype: 'application/json' }, gzipSync('{}'))
    assert.equal(added(event)['contentencoding'], 'gzip')
  })

  test('does not mark it where the sender has', () => {
    assert.equal('contentencoding' in added(eventWith({ contentencoding: 'x-gzip' }, gzipSync('{}'))), false)
  })

  test('marks nothing else', () => {
    for (const data of ['', '{}', Buffer.from([0x1f, 0x8b, 8])]) {
      assert.equal('contentencoding' in added(eventWith({}, data)), false)
    }
  })
})

test('data is gzip by its magic bytes, its method, and a length that gzip can have', () => {
  assert.equal(isGzip(gzipSync('')), true, 'the shortest there is')
  const gzip = gzipSync('x')
  for (const at of [0, 1, 2]) {
    const other = Buffer.from(gzip)
    other[at] = 0
    assert.equal(isGzip(other), false, `another byte ${at}`)
  }
  assert.equal(isGzip(gzip.subarray(0, 17)), false)
})
