import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MockCluster } from '../support/mock-cluster.ts'
import { EventSender, makeEvent } from '../support/events.ts'
import { parseMetrics, total, type Metrics } from '../support/sidecar-process.ts'
import { NOBODY, RunningSidecar } from './running-sidecar.ts'

/** The interface: a name or type changes with a major version only. */
const NAMES: Readonly<Record<string, string>> = {
  inference_logger_events_received_total: 'counter',
  inference_logger_received_bytes_total: 'counter',
  inference_logger_events_delivered_total: 'counter',
  inference_logger_delivered_bytes_total: 'counter',
  inference_logger_events_pending: 'gauge',
  inference_logger_pending_bytes: 'gauge',
  inference_logger_pending_limit_bytes: 'gauge',
  inference_logger_in_flight_records: 'gauge',
  inference_logger_events_dead_lettered_total: 'counter',
  inference_logger_events_dropped_total: 'counter',
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

/** Labels of our own samples with the values that they may have. */
const LABELS: Readonly<Record<string, RegExp>> = {
  type: /^(?:request|response|other)$/,
  reason: /^[a-z_]+$/,
  code: /^[a-z0-9_]+$/,
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
