import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '../../../sidecar/logging/logger.ts'
import { reasons as reasonTable, type ReasonCode } from '../../../webhook/decide/reasons.ts'
import { ApiServer } from '../../../webhook/events/api-server.ts'
import { noticeOf } from '../../../webhook/events/event.ts'
import { EventRecorder, type EventRecorderOptions } from '../../../webhook/events/recorder.ts'
import type { Report } from '../../../webhook/review.ts'
import type { Decision } from '../../../webhook/server/endpoint.ts'
import type { LogLine } from '../../cli/cli-process.ts'
import { CertificateAuthority } from '../../support/certificates.ts'
import { realReview } from '../server/client.ts'
import { until } from '../server/harness.ts'
import { RunningWebhook } from '../server/running-webhook.ts'
import { created, FakeApiServer } from './api-server.ts'

const AT = Date.parse('2026-05-06T07:08:09.123Z')

/** A decision about a pod of a ReplicaSet. */
function decision(result: Report['result'], codes: readonly ReasonCode[], change: Partial<Decision> = {}): Decision {
  return {
    subject: {
      namespace: 'models',
      name: undefined,
      generateName: 'model-',
      owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'model-1', uid: 'uid-1' }
    },
    report: { result, reasons: codes.map(code => ({ code, message: `because of ${code}` })), warnings: [] },
    dryRun: false,
    ms: 1,
    ...change
  }
}

const ownedBy = (uid: string): Decision => {
  const base = decision('inject', ['loopback_sink'])
  return { ...base, subject: { ...base.subject, owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: uid, uid } } }
}

describe('an Event', () => {
  for (const [result, codes, reason, type] of [
    ['inject', ['loopback_sink'], 'Injected', 'Normal'],
    ['inject', ['restart_policy_restored'], 'Injected', 'Warning'],
    ['skip', ['sink_not_loopback'], 'InjectionSkipped', 'Normal'],
    ['skip', ['host_network', 'port_conflict'], 'InjectionSkipped', 'Warning'],
    ['deny', ['invalid_annotation'], 'InjectionDenied', 'Warning'],
    ['deny', ['invalid_annotation', 'no_logger'], 'InjectionDenied', 'Warning']
  ] as const) {
    test(`tells ${result} for ${codes.join(' and ')} as ${type} ${reason}`, () => {
      const notice = noticeOf(decision(result, codes), 'webhook-0', AT)
      assert.deepEqual([notice?.event.reason, notice?.event.type], [reason, type])
      for (const code of codes) assert.match(notice?.event.message ?? '', new RegExp(`${code}.*because of ${code}`))
    })
  }

  test('is on the pod’s controller, in its namespace, and says who reports', () => {
    const event = noticeOf(decision('inject', ['loopback_sink']), 'webhook-0', AT)?.event
    assert.deepEqual(
      { ...event, metadata: { ...event?.metadata, name: event?.metadata.name?.replace(/[0-9a-f]{16}$/, '…') } },
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'model-1.…', namespace: 'models' },
        involvedObject: {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'model-1',
          uid: 'uid-1',
          namespace: 'models'
        },
        type: 'Normal',
        reason: 'Injected',
        message: 'loopback_sink: because of loopback_sink',
        source: { component: 'inference-logger.io/webhook' },
        reportingComponent: 'inference-logger.io/webhook',
        reportingInstance: 'webhook-0',
        firstTimestamp: '2026-05-06T07:08:09Z',
        lastTimestamp: '2026-05-06T07:08:09Z',
        count: 1
      }
    )
  })

  for (const code of Object.keys(reasonTable) as ReasonCode[]) {
    const silent = [
      'not_a_pod',
      'mirror_pod',
      'namespace_ignored',
      'already_injected',
      'inject_annotation_false',
      'no_inference_service_label',
      'no_logger',
      'multi_node_worker'
    ].includes(code)
    test(`${silent ? 'is not made' : 'is made'} for a skip with ${code}`, () => {
      assert.equal(noticeOf(decision('skip', [code]), '', AT) === undefined, silent)
    })
  }

  for (const [what, change] of [
    ['of a dry run', { dryRun: true }],
    ['of a pod without a controller', { subject: { ...ownedBy('x').subject, owner: undefined } }],
    ['of a pod in no namespace', { subject: { ...ownedBy('x').subject, namespace: '' } }]
  ] as const) {
    test(`is not made ${what}`, () => {
      assert.equal(noticeOf(decision('deny', ['invalid_annotation'], change), '', AT), undefined)
    })
  }

  test('keeps to Kubernetes’ limits', () => {
    const long = decision('deny', ['invalid_annotation'])
    const subject = { ...long.subject, owner: { apiVersion: 'v1', kind: 'K', name: 'n'.repeat(253), uid: 'u' } }
    const reasons = [{ code: 'invalid_annotation' as const, message: 'm'.repeat(5000) }]
    const notice = noticeOf({ ...long, subject, report: { ...long.report, reasons } }, '', AT)
    assert.equal(notice?.event.metadata.name?.length, 253)
    assert.equal(notice?.event.message?.length, 1024)
  })
})

class Recording {
  readonly recorder: EventRecorder
  readonly counts: Record<string, number> = {}
  readonly text: string[] = []
  now = AT

  constructor(t: TestContext, api: FakeApiServer, options: Partial<EventRecorderOptions> = {}) {
    this.recorder = new EventRecorder({
      sink: new ApiServer(api.options),
      instance: 'webhook-0',
      count: result => (this.counts[result] = (this.counts[result] ?? 0) + 1),
      logger: createLogger('trace', 'webhook', { write: line => void this.text.push(line) }),
      now: () => this.now,
      ...options
    })
    t.after(() => this.recorder.stop(0))
  }

  async counted(result: string, n: number): Promise<void> {
    await until(`${n} ${result}`, () => this.counts[result] === n)
  }
}

describe('Events', () => {
  test('are created with the pod’s token, which is read again because it is renewed', async t => {
    const api = await FakeApiServer.start(t)
    const recording = new Recording(t, api)
    recording.recorder.record(ownedBy('a'))
    await recording.counted('created', 1)
    api.writeToken('second')
    recording.recorder.record(ownedBy('b'))
    await recording.counted('created', 2)
    assert.deepEqual(
      api.received.map(({ event: _event, ...rest }) => rest),
      ['first', 'second'].map(token => ({
        method: 'POST',
        path: '/api/v1/namespaces/models/events',
        authorization: `Bearer ${token}`,
        contentType: 'application/json'
      }))
    )
    assert.deepEqual(
      api.received.map(({ event }) => event.involvedObject.uid),
      ['a', 'b']
    )
    assert.doesNotMatch(recording.text.join(), /first|second/)
  })

  test('go to nobody but whom the cluster’s CA vouches for, which is read again too', async t => {
    const api = await FakeApiServer.start(t)
    const recording = new Recording(t, api)
    api.writeAuthority((await CertificateAuthority.create('another')).cert)
    recording.recorder.record(ownedBy('a'))
    await recording.counted('failed', 1)
    assert.deepEqual(api.received, [])
    api.writeAuthority()
    recording.recorder.record(ownedBy('a'))
    await recording.counted('created', 1)
  })

  test('that say the same of the same object are one in ten minutes', async t => {
    const api = await FakeApiServer.start(t)
    const recording = new Recording(t, api)
    for (let i = 0; i < 5; i++) recording.recorder.record(ownedBy('a'))
    recording.recorder.record(decision('deny', ['invalid_annotation']))
    recording.recorder.record(decision('skip', ['host_network']))
    recording.recorder.record(decision('skip', ['port_conflict']))
    await recording.counted('created', 4)
    recording.now += 10 * 60_000 - 1
    recording.recorder.record(ownedBy('a'))
    recording.now += 1
    recording.recorder.record(ownedBy('a'))
    await recording.counted('created', 5)
    assert.equal(api.received.length, 5)
  })

  test('are remembered of a bounded number of objects', async t => {
    const api = await FakeApiServer.start(t)
    const recording = new Recording(t, api, { maxKnown: 2 })
    for (const uid of ['a', 'b', 'c', 'c', 'b', 'a']) recording.recorder.record(ownedBy(uid))
    await recording.counted('created', 4)
    await sleep(20)
    assert.deepEqual(
      api.received.map(({ event }) => event.involvedObject.uid),
      ['a', 'b', 'c', 'a']
    )
  })

  test('that cannot be created are counted, and logged once a minute, with what the API server says', async t => {
    const api = await FakeApiServer.start(t)
    api.answering = response => {
      response.writeHead(403, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ kind: 'Status', message: 'events is forbidden: cannot create' }))
    }
    const recording = new Recording(t, api)
    for (const uid of ['a', 'b', 'c']) recording.recorder.record(ownedBy(uid))
    await recording.counted('failed', 3)
    const lines = recording.text.map(line => JSON.parse(line) as LogLine)
    assert.equal(lines.length, 1)
    assert.deepEqual(
      [lines[0]?.level, lines[0]?.msg],
      ['warn', 'a Kubernetes Event was not created: the API server answered 403: events is forbidden: cannot create']
    )
  })

  for (const [what, answering] of [
    ['breaks off', response => response.socket?.destroy()],
    ['says nothing', () => {}],
    ['answers with something else', response => response.writeHead(500).end('<html>')]
  ] as const satisfies readonly (readonly [string, FakeApiServer['answering']])[]) {
    test(`that fail because the API server ${what} are tried again with the next decision, not before`, async t => {
      const api = await FakeApiServer.start(t)
      api.answering = answering
      const recording = new Recording(t, api)
      recording.recorder.record(ownedBy('a'))
      await recording.counted('failed', 1)
      assert.equal(api.received.length, 1)
      api.answering = created
      recording.recorder.record(ownedBy('a'))
      await recording.counted('created', 1)
    })
  }

  test('that wait are bounded in number: what is more is dropped and counted', async t => {
    const api = await FakeApiServer.start(t)
    api.answering = () => {}
    const recording = new Recording(t, api, { maxWaiting: 3 })
    for (let i = 0; i < 10; i++) recording.recorder.record(ownedBy(`${i}`))
    // The first is under way.
    assert.deepEqual(recording.counts, { dropped: 6 })
  })

  test('that wait at the end are created if there is time', async t => {
    const api = await FakeApiServer.start(t)
    const recording = new Recording(t, api)
    for (let i = 0; i < 3; i++) recording.recorder.record(ownedBy(`${i}`))
    const start = performance.now()
    await recording.recorder.stop(2000)
    assert.deepEqual(recording.counts, { created: 3 })
    assert.ok(performance.now() - start < 1500)
  })

  test('that wait at the end hold nothing up', async t => {
    const api = await FakeApiServer.start(t)
    api.answering = () => {}
    const recording = new Recording(t, api)
    recording.recorder.record(ownedBy('a'))
    await until('sent', () => api.received.length === 1)
    const start = performance.now()
    await recording.recorder.stop(100)
    assert.ok(performance.now() - start < 400)
    await recording.counted('failed', 1)
    recording.recorder.record(ownedBy('b'))
    await sleep(20)
    assert.deepEqual(recording.counts, { failed: 1 })
  })
})

describe('the webhook with Events', () => {
  test('tells the ReplicaSet of an admission, and not of a dry run', async t => {
    const api = await FakeApiServer.start(t)
    const running = await RunningWebhook.start(t, { events: { ...api.options, instance: 'webhook-0' } })
    const client = running.client(t)
    const dry = realReview()
    dry.request['dryRun'] = true
    await client.review(dry)
    await client.review(realReview())
    await until('created', async () => (await running.metric('events_total{result="created"}')) === 1)
    const [first] = api.received
    assert.equal(api.received.length, 1)
    assert.equal(first?.event.involvedObject.name, 'logger-localhost-predictor-79654c448')
    assert.deepEqual([first?.event.reason, first?.event.reportingInstance], ['Injected', 'webhook-0'])
  })

  test('answers at once, whatever the API server does', async t => {
    const api = await FakeApiServer.start(t)
    api.answering = () => {}
    const running = await RunningWebhook.start(t, { events: { ...api.options, instance: 'webhook-0' } })
    const client = running.client(t)
    await client.review(realReview())
    const start = performance.now()
    assert.equal((await client.review(realReview())).allowed, true)
    assert.ok(performance.now() - start < 400)
  })
})
