import assert from 'node:assert/strict'
import { test } from 'node:test'
import { register } from 'prom-client'
import { webhookMetricsTable } from '../../../scripts/tables/webhook-metrics.ts'
import { WebhookMetrics } from '../../../webhook/metrics/metrics.ts'

const sample = async (metrics: WebhookMetrics, name: string): Promise<string | undefined> =>
  (await metrics.render()).split('\n').find(line => line.startsWith(`inference_logger_webhook_${name} `))

test('the names are those of the documentation, which is made from them', async () => {
  const table = await webhookMetricsTable()
  const names = [...table.matchAll(/^\| `(\w+)` \| (\w+)/gm)].map(([, name, type]) => `${name} ${type}`)
  assert.deepEqual(
    names.map(name => name.replace('inference_logger_webhook_', '')),
    [
      'requests_total counter',
      'request_duration_seconds histogram',
      'requests_in_flight gauge',
      'certificate_expiry_timestamp_seconds gauge',
      'certificate_reloads_total counter',
      'settings_reloads_total counter',
      'settings_last_reload_successful gauge',
      'events_total counter',
      'build_info gauge'
    ]
  )
  assert.doesNotMatch(table, /\| +\|$/m)
})

test('durations are in seconds, from half a millisecond on', async () => {
  const metrics = new WebhookMetrics({ version: '1', node: '2' })
  metrics.request('inject', 'loopback_sink', 0.4)
  metrics.request('deny', 'invalid_annotation', 30)
  assert.match((await sample(metrics, 'request_duration_seconds_bucket{le="0.0005"}')) ?? '', / 1$/)
  assert.match((await sample(metrics, 'request_duration_seconds_bucket{le="0.025"}')) ?? '', / 1$/)
  assert.match((await sample(metrics, 'request_duration_seconds_bucket{le="0.05"}')) ?? '', / 2$/)
  assert.match((await sample(metrics, 'request_duration_seconds_sum')) ?? '', / 0\.0304$/)
})

test('what can be counted is there before it happens, so that a first time is an increase', async () => {
  const text = await new WebhookMetrics({ version: '1', node: '2' }).render()
  for (const name of ['certificate_reloads_total', 'settings_reloads_total']) {
    assert.match(text, new RegExp(`_${name}\\{result="success"\\} 0`))
    assert.match(text, new RegExp(`_${name}\\{result="failure"\\} 0`))
  }
  assert.match(text, /_events_total\{result="failed"\} 0/)
  assert.match(text, /_settings_last_reload_successful 1/)
  assert.match(text, /_certificate_expiry_timestamp_seconds 0/)
})

test('two of them do not meet in a registry', async () => {
  const [one, other] = [
    new WebhookMetrics({ version: '1', node: '2' }),
    new WebhookMetrics({ version: '1', node: '2' })
  ]
  one.event('created')
  assert.match((await sample(one, 'events_total{result="created"}')) ?? '', / 1$/)
  assert.match((await sample(other, 'events_total{result="created"}')) ?? '', / 0$/)
  assert.deepEqual(await register.getMetricsAsJSON(), [])
})
