import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ledger } from '../../sidecar/metrics/ledger.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { EventSender, makeEvent } from '../support/events.ts'
import { parseMetrics, total, type Metrics } from '../support/sidecar-process.ts'
import { NOBODY, RunningSidecar } from './running-sidecar.ts'

/** The interface: a name or type changes with a major version only. */
const NAMES: Readonly<Record<string, string>> = {
  inference_logger_events_received_total: 'counter',
  inference_logger_received_bytes_total: 'counter',
  inference_logger_events_replayed_total: 'counter',
  inference_logger_events_bypassed_journal_total: 'counter',
  inference_logger_events_delivered_total: 'counter',
  inference_logger_delivered_bytes_total: 'counter',
  inference_logger_events_pending: 'gauge',
  inference_logger_pending_bytes: 'gauge',
  inference_logger_pending_limit_bytes: 'gauge',
  inference_logger_in_flight_records: 'gauge',
  inference_logger_events_dead_lettered_total: 'counter',
  inference_logger_events_dropped_total: 'counter',
  inference_logger_journal_bytes: 'gauge',
  inference_logger_journal_limit_bytes: 'gauge',
  inference_logger_journal_segments: 'gauge',
  inference_logger_journal_failing: 'gauge',
  inference_logger_journal_errors_total: 'counter',
  inference_logger_journal_quarantined_total: 'counter',
  inference_logger_journal_commit_duration_seconds: 'histogram',
  inference_logger_journal_commit_events: 'histogram',
  inference_logger_journal_fsync_duration_seconds: 'histogram',
  inference_logger_journal_longest_commit_seconds: 'gauge',
  inference_logger_dead_letter_bytes: 'gauge',
  inference_logger_dead_letter_limit_bytes: 'gauge',
  inference_logger_dead_letters_discarded_total: 'counter',
  inference_logger_dead_letter_topic_records_total: 'counter',
  inference_logger_events_irregular_total: 'counter',
  inference_logger_requests_rejected_total: 'counter',
  inference_logger_oldest_pending_seconds: 'gauge',
  inference_logger_ack_duration_seconds: 'histogram',
  inference_logger_delivery_duration_seconds: 'histogram',
  inference_logger_last_delivery_timestamp_seconds: 'gauge',
  inference_logger_kafka_errors_total: 'counter',
  inference_logger_producer_rebuilds_total: 'counter',
  inference_logger_build_info: 'gauge',
  rdkafka_broker_up: 'gauge',
  rdkafka_queue_messages: 'gauge',
  process_cpu_seconds_total: 'counter',
  process_resident_memory_bytes: 'gauge',
  nodejs_eventloop_lag_seconds: 'gauge'
}

test('the documented names are there, with help and type', async t => {
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY })
  const { headers, body } = await sidecar.get('/metrics')
  assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  for (const [name, type] of Object.entries(NAMES)) {
    assert.match(body, new RegExp(`^# HELP ${name} \\S`, 'm'))
    assert.match(body, new RegExp(`^# TYPE ${name} ${type}$`, 'm'))
  }
  const own = [...body.matchAll(/^# TYPE (inference_logger_\w+)/gm)].map(([, name]) => name)
  assert.deepEqual(
    own.filter(name => name === undefined || !(name in NAMES)),
    [],
    'a new metric belongs into the list above and into docs/metrics.md'
  )
  assert.match(body, /^inference_logger_build_info\{version="\d[^"]*",librdkafka="2\.[^"]+",node="[^"]+"\} 1$/m)
})

test('what somebody is to be woken up for is there from the start: an increase() from nothing to 1 is none', async t => {
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY })
  const metrics = parseMetrics(await sidecar.scrape())
  const { dropped, deadLettered, quarantined, rejected } = new Ledger()
  for (const [name, label, values] of [
    ['events_dropped_total', 'reason', dropped],
    ['events_dead_lettered_total', 'reason', deadLettered],
    ['journal_quarantined_total', 'what', quarantined],
    ['requests_rejected_total', 'reason', rejected]
  ] as const) {
    assert.ok(Object.keys(values).length > 1)
    for (const value of Object.keys(values))
      assert.equal(metrics.get(`inference_logger_${name}{${label}="${value}"}`), 0, `${name} ${value}`)
  }
  for (const name of ['dead_letters_discarded_total', 'events_bypassed_journal_total', 'journal_failing'])
    assert.equal(metrics.get(`inference_logger_${name}`), 0, name)
})

test('without a journal its metrics are there, and 0', async t => {
  const sidecar = await RunningSidecar.start(t, { KAFKA_BROKERS: NOBODY, INFERENCE_LOGGER_DURABILITY: 'memory' })
  const metrics = parseMetrics(await sidecar.scrape())
  for (const name of ['bytes', 'limit_bytes', 'segments', 'failing', 'longest_commit_seconds'])
    assert.equal(metrics.get(`inference_logger_journal_${name}`), 0, name)
  assert.equal(metrics.get('inference_logger_dead_letter_limit_bytes'), 64 * 1024 * 1024)
})

/** Labels of our own samples with the values that they may have. */
const LABELS: Readonly<Record<string, RegExp>> = {
  type: /^(?:request|response|other)$/,
  reason: /^[a-z_]+$/,
  code: /^[a-zA-Z0-9_]+$/,
  what: /^(?:record|segment)$/,
  result: /^(?:delivered|failed|skipped)$/,
  le: /^(?:[\d.]+|\+Inf)$/,
  broker: /^127\.0\.0\.1:\d+$/,
  version: /./,
  librdkafka: /./,
  node: /./
}

function assertLabelsBounded(metrics: Metrics): void {
  for (const sample of metrics.keys()) {
    if (!/^(?:inference_logger|rdkafka)_/.test(sample)) continue
    for (const [, label = '', value = ''] of sample.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      assert.match(value, LABELS[label] ?? /^no such label$/, sample)
      assert.doesNotMatch(value, /unbounded/)
    }
  }
}

test('nothing that a sender chooses becomes a label: 200 types, topics, ids and bad requests add no series', async t => {
  const cluster = await MockCluster.start(t)
  const sidecar = await RunningSidecar.start(t, {
    KAFKA_BROKERS: cluster.brokers,
    KAFKA_TOPIC: 'unbounded-{inferenceservicename}',
    INFERENCE_LOGGER_MAX_TOPICS: '150'
  })
  const sender = new EventSender(sidecar.url)
  t.after(() => sender.close())
  const post = async (from: number, to: number): Promise<Metrics> => {
    const events = Array.from({ length: to - from }, (_, i) => {
      const event = makeEvent(from + i, { service: `unbounded-${from + i}` })
      const { headers } = event
      headers['Ce-Type'] = `unbounded.type.${i}${['', '.request', '.response'][i % 3]}`
      headers['Ce-Source'] = `unbounded:${i}`
      if (i % 5 === 0) headers['Ce-Specversion'] = `unbounded${i}`
      headers[`Ce-Unbounded-${i}`] = 'x'
      return event
    })
    await sender.sendAll(events)
    for (let i = 0; i < 250; i++) {
      const metrics = parseMetrics(await sidecar.scrape())
      if (metrics.get('inference_logger_events_pending') === 0) return metrics
      await sleep(20)
    }
    return assert.fail('the events are not delivered')
  }
  const own = (metrics: Metrics): string[] => [...metrics.keys()].filter(name => name.startsWith('inference_logger_'))
  const before = await post(0, 180)
  assertLabelsBounded(before)
  assert.equal(total(before, 'inference_logger_events_received_total'), 144)
  const after = await post(180, 380)
  assertLabelsBounded(after)
  const grown = own(after).filter(name => !before.has(name))
  assert.deepEqual(grown, ['inference_logger_requests_rejected_total{reason="too_many_topics"}'])
  // The log names topics and reasons, and nothing else of an event.
  assert.doesNotMatch(sidecar.log.join(''), /unbounded\.type|unbounded:|unbounded\d|"pad"/)
})
