import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ledger } from '../../sidecar/metrics/ledger.ts'
import { Metrics, type Gauges } from '../../sidecar/metrics/metrics.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { EventSender, makeEvents } from '../support/events.ts'
import { parseMetrics, total } from '../support/sidecar-process.ts'
import { NOBODY, RunningSidecar, temporaryFolder } from './running-sidecar.ts'

/** received + replayed = delivered + pending + dead-lettered + dropped. @returns the sum */
function assertConserved(text: string): number {
  const metrics = parseMetrics(text)
  const sum = (...names: string[]): number =>
    names.reduce((all, name) => all + total(metrics, `inference_logger_events_${name}`), 0)
  const begun = sum('received_total', 'replayed_total')
  const ends = sum('delivered_total', 'pending', 'dead_lettered_total', 'dropped_total')
  assert.equal(begun, ends, text.match(/^inference_logger_events_.*$/gm)?.join('\n'))
  return begun
}

/** Scrapes again and again, several at a time, until the work is done. */
async function scrapeDuring(sidecar: RunningSidecar, work: Promise<unknown>): Promise<number[]> {
  const received: number[] = []
  let working = true
  const scrape = async (): Promise<void> => {
    while (working) received.push(assertConserved(await sidecar.scrape()))
  }
  const scrapes = Promise.all([scrape(), scrape(), scrape()])
  await work.finally(() => (working = false))
  await scrapes
  return received
}

for (const durability of ['memory', 'journal', 'fsync', 'kafka']) {
  test(`durability ${durability}: received + replayed = delivered + pending + dead-lettered + dropped at every scrape under load`, async t => {
    const cluster = await MockCluster.start(t)
    const sidecar = await RunningSidecar.start(t, {
      KAFKA_BROKERS: cluster.brokers,
      INFERENCE_LOGGER_DURABILITY: durability
    })
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())
    const received = await scrapeDuring(sidecar, sender.sendAll(makeEvents(400)))
    assert.ok(received.length > 5, `${received.length} scrapes`)
    assert.ok(new Set(received).size > 3, 'the numbers moved meanwhile')
    for (let i = 0; i < 500; i++) {
      const metrics = parseMetrics(await sidecar.scrape())
      if (metrics.get('inference_logger_events_delivered_total') === 400) break
      await sleep(20)
    }
    const metrics = parseMetrics(await sidecar.scrape())
    assert.equal(metrics.get('inference_logger_events_received_total{type="request"}'), 400)
    assert.equal(metrics.get('inference_logger_events_delivered_total'), 400)
    assert.equal(metrics.get('inference_logger_ack_duration_seconds_count'), 400)
    assert.equal(metrics.get('inference_logger_delivery_duration_seconds_count'), 400)
    assert.equal(metrics.get('inference_logger_oldest_pending_seconds'), 0)
    assert.ok(
      Math.abs(Number(metrics.get('inference_logger_last_delivery_timestamp_seconds')) - Date.now() / 1000) < 30
    )
    const commits = Number(metrics.get('inference_logger_journal_commit_duration_seconds_count'))
    assert.equal(metrics.get('inference_logger_journal_commit_events_sum'), durability === 'memory' ? 0 : 400)
    assert.equal(commits > 0, durability !== 'memory')
    assert.equal(
      Number(metrics.get('inference_logger_journal_fsync_duration_seconds_count')) > 0,
      durability === 'fsync'
    )
  })
}

test('it holds with Kafka away and the queue full, too, and what was refused is counted apart', async t => {
  const sidecar = await RunningSidecar.start(t, {
    KAFKA_BROKERS: NOBODY,
    INFERENCE_LOGGER_DURABILITY: 'memory',
    INFERENCE_LOGGER_MEMORY_MAX_BYTES: '300Ki'
  })
  const sender = new EventSender(sidecar.url)
  t.after(() => sender.close())
  const sending = sender.sendAll(makeEvents(600))
  await scrapeDuring(sidecar, sending)
  const { accepted, refused } = await sending
  assert.ok(accepted.size > 50 && refused.size > 50)
  assert.deepEqual(new Set(refused.values()), new Set([503]))
  const metrics = parseMetrics(await sidecar.scrape())
  assert.equal(metrics.get('inference_logger_events_pending'), accepted.size)
  assert.equal(metrics.get('inference_logger_requests_rejected_total{reason="queue_full"}'), refused.size)
  const pendingBytes = Number(metrics.get('inference_logger_pending_bytes'))
  assert.ok(pendingBytes > 290_000 && pendingBytes <= 300 * 1024)
  assert.equal(metrics.get('inference_logger_pending_limit_bytes'), 300 * 1024)
  assert.ok(Number(metrics.get('inference_logger_oldest_pending_seconds')) > 0)
})

test('it holds with a full journal, too, and after a start that finds one', async t => {
  const env = {
    KAFKA_BROKERS: NOBODY,
    INFERENCE_LOGGER_JOURNAL_DIR: temporaryFolder(t),
    INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '300Ki',
    INFERENCE_LOGGER_MAX_EVENT_BYTES: '10Ki'
  }
  const first = await RunningSidecar.start(t, env)
  const sender = new EventSender(first.url)
  t.after(() => sender.close())
  const sending = sender.sendAll(makeEvents(1500))
  await scrapeDuring(first, sending)
  const { accepted, refused } = await sending
  assert.ok(accepted.size > 100 && refused.size > 50, `${accepted.size} accepted, ${refused.size} refused`)
  const metrics = parseMetrics(await first.scrape())
  assert.equal(metrics.get('inference_logger_events_pending'), accepted.size)
  assert.equal(metrics.get('inference_logger_journal_limit_bytes'), 300 * 1024)
  const bytes = Number(metrics.get('inference_logger_journal_bytes'))
  assert.ok(bytes > 200 * 1024 && bytes <= 300 * 1024, `${bytes} bytes`)
  assert.ok(Number(metrics.get('inference_logger_journal_segments')) >= 4)
  await first.sidecar.stop()
  const second = await RunningSidecar.start(t, env)
  // What is found is found bit by bit, while events are taken already.
  for (let i = 0; assertConserved(await second.scrape()) < accepted.size; i++) assert.ok(i < 1000)
  const again = parseMetrics(await second.scrape())
  assert.equal(again.get('inference_logger_events_replayed_total'), accepted.size)
  assert.equal(again.get('inference_logger_events_pending'), accepted.size)
  assert.equal(total(again, 'inference_logger_events_received_total'), 0)
})

test('a scrape shows one moment, however many scrapes there are and whatever happens between', async () => {
  const ledger = new Ledger()
  const gauges = {
    pendingEvents: 0,
    pendingBytes: 0,
    pendingLimitBytes: 0,
    inFlightRecords: 0,
    oldestReceivedAt: undefined,
    journal: undefined,
    deadLetters: { bytes: 0, limitBytes: 0 }
  }
  const metrics = new Metrics(
    ledger,
    (): Gauges => gauges,
    () => undefined,
    { version: '1', librdkafka: '2', node: '3' }
  )
  const moving = (async () => {
    for (let i = 0; i < 3000; i++) {
      if (i % 5 === 0) ledger.replayed++
      else ledger.received.response++
      if (i % 3 === 0) ledger.delivered++
      else if (i % 7 === 0) ledger.dropped.invalid_record++
      else if (i % 11 === 0) ledger.deadLettered.record_too_large++
      else gauges.pendingEvents++
      await Promise.resolve()
    }
  })()
  const texts = await Promise.all(Array.from({ length: 20 }, () => metrics.render()))
  await moving
  texts.push(await metrics.render())
  const received = texts.map(assertConserved)
  assert.ok(new Set(received).size > 1)
  assert.equal(received.at(-1), 3000)
})
