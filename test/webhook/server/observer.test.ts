import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IncidentLog } from '../../../sidecar/logging/incidents.ts'
import { createLogger } from '../../../sidecar/logging/logger.ts'
import { WebhookMetrics } from '../../../webhook/metrics/metrics.ts'
import { AdmissionObserver } from '../../../webhook/server/observer.ts'
import { logTlsError } from '../../../webhook/server/tls-errors.ts'
import type { LogLine } from '../../cli/cli-process.ts'

class Observing {
  readonly text: string[] = []
  readonly logger = createLogger('info', 'webhook', { write: line => void this.text.push(line) })
  readonly metrics = new WebhookMetrics({ version: '', node: '' })
  readonly observer: AdmissionObserver

  constructor(tellOwner: () => void = () => assert.fail('an Event')) {
    this.observer = new AdmissionObserver(this.metrics, this.logger, tellOwner)
  }

  get log(): LogLine[] {
    return this.text.map(line => JSON.parse(line) as LogLine)
  }

  async requests(): Promise<string[]> {
    const text = await this.metrics.render()
    return text.split('\n').flatMap(line => /requests_total(\{.*)/.exec(line)?.[1] ?? [])
  }
}

describe('a fault of ours', () => {
  test('is logged with the place where it is, and without its message, which may quote the pod', async () => {
    const observing = new Observing()
    const subject = { namespace: 'models', name: 'pod', generateName: undefined, owner: undefined }
    observing.observer.failed(new TypeError('hunter2\nhunter2 at home (x:1:1'), subject, 1)
    const [line] = observing.log
    assert.deepEqual(
      [line?.level, line?.['error'], line?.['namespace'], line?.['name']],
      ['error', 'TypeError', 'models', 'pod']
    )
    assert.match(String((line?.['stack'] as string[])[0]), /^at .*observer\.test/)
    assert.doesNotMatch(observing.text.join(), /hunter/)
    assert.deepEqual(await observing.requests(), ['{result="error",reason="internal"} 1'])
  })

  test('that is no Error is one too', () => {
    const observing = new Observing()
    observing.observer.failed('hunter2', undefined, 1)
    assert.equal(observing.log[0]?.['error'], 'string')
    assert.doesNotMatch(observing.text.join(), /hunter/)
  })
})

// Nearly each injected pod is reviewed twice, since the API server's own plugins change it: two lines for one pod mislead.
test('a second review of a pod that has the sidecar is counted, and no line of the log', async () => {
  const observing = new Observing(() => {})
  const subject = { namespace: 'models', name: 'pod', generateName: undefined, owner: undefined }
  for (const [result, code] of [
    ['inject', 'loopback_sink'],
    ['skip', 'already_injected']
  ] as const) {
    const report = { result, reasons: [{ code, message: '' }], warnings: [] }
    observing.observer.decided({ subject, report, dryRun: false, ms: 1 })
  }
  assert.deepEqual(
    observing.log.map(({ msg }) => msg),
    ['injected']
  )
  assert.equal((await observing.requests()).length, 2)
})

test('requests that are refused are counted each, and logged once a minute by what is wrong', async () => {
  const observing = new Observing()
  for (let i = 0; i < 5; i++) observing.observer.refused(400, 'the body is no JSON', 1)
  observing.observer.refused(503, 'too many bodies are arriving', 1)
  assert.deepEqual(
    observing.log.map(({ level, msg }) => `${level}: ${msg}`),
    ['warn: request refused: the body is no JSON', 'warn: request refused: too many bodies are arriving']
  )
  assert.deepEqual(await observing.requests(), [
    '{result="error",reason="bad_request"} 5',
    '{result="error",reason="overloaded"} 1'
  ])
})

describe('a handshake that failed', () => {
  for (const [what, code, expected] of [
    ['because the client has another CA', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', /^error: .*caBundle/],
    ['because the name is another one', 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', /^error: .*names in the certificate/],
    [
      'for another reason of TLS',
      'ERR_SSL_NO_SHARED_CIPHER',
      /^warn: a TLS handshake failed \(ERR_SSL_NO_SHARED_CIPHER\)$/
    ],
    ['because somebody only looked whether the port is open', 'ECONNRESET', /^$/]
  ] as const) {
    test(what, () => {
      const observing = new Observing()
      const incidents = new IncidentLog(observing.logger)
      for (let i = 0; i < 3; i++) logTlsError(incidents, Object.assign(new Error(), { code }))
      assert.match(observing.log.map(({ level, msg }) => `${level}: ${msg}`).join(), expected)
    })
  }
})
