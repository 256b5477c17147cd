import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventSender, makeEvent, numbersIn } from '../support/events.ts'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Metrics, SidecarProcess, total } from '../support/sidecar-process.ts'

const count = 4000
const topicLimit = 300_000
const big = 400_000
const bytesOf = (number: number): number => (number % 500 === 250 ? big : 0)

test(
  'received = delivered + pending + dead-lettered + dropped at every scrape, through load, refusals and an outage',
  { skip: withoutOwnKafka, timeout: 150_000 },
  async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('counted', { config: { 'max.message.bytes': String(topicLimit) } })
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: cluster.bootstrap, KAFKA_TOPIC: 'counted' })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())

    const events = Array.from({ length: count }, (_, number) =>
      makeEvent(number, { type: number % 2 ? 'response' : 'request', bytes: bytesOf(number) })
    )
    const violations: string[] = []
    let scrapes = 0
    let most = 0
    let scraping = true
    const scraper = (async () => {
      while (scraping) {
        const metrics = await sidecar.metrics()
        violations.push(...violationIn(metrics))
        scrapes++
        most = Math.max(most, metrics.get('inference_logger_events_pending') ?? 0)
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    })()
    const fault = (async () => {
      await new Promise(resolve => setTimeout(resolve, 1500))
      await cluster.stopBroker(0)
      await new Promise(resolve => setTimeout(resolve, 1500))
      await cluster.startBroker(0)
    })()
    const [{ accepted, refused }] = await Promise.all([sender.sendAll(events, { paceMs: 4 }), fault])
    // How fast the queue empties is the affair of other tests.
    const isEmpty = (found: Metrics): boolean => found.get('inference_logger_events_pending') === 0
    const end = await sidecar.waitFor('nothing is pending', isEmpty, 75_000)
    scraping = false
    await scraper
    violations.push(...violationIn(end))
    assert.deepEqual(violations.slice(0, 5), [], `${violations.length} of ${scrapes} scrapes`)
    assert.deepEqual([...refused], [])
    assert.ok(scrapes > 50, `${scrapes} scrapes`)
    assert.ok(most > 100, `the outage was seen: at most ${most} pending`)

    const tooBig = [...accepted].filter(number => bytesOf(number) === big)
    assert.equal(end.get('inference_logger_events_dead_lettered_total{reason="record_too_large"}'), tooBig.length)
    assert.equal(end.get('inference_logger_events_received_total{type="request"}'), count / 2)
    assert.equal(end.get('inference_logger_events_received_total{type="response"}'), count / 2)
    const { numbers } = numbersIn(await cluster.consume('counted'), bytesOf)
    assert.deepEqual(numbers, new Set([...accepted].filter(number => bytesOf(number) !== big)))
  }
)

function violationIn(metrics: Metrics): string[] {
  const count = (name: string): number => total(metrics, `inference_logger_events_${name}`)
  const parts = ['delivered_total', 'pending', 'dead_lettered_total', 'dropped_total']
  const sum = parts.reduce((before, name) => before + count(name), 0)
  if (count('received_total') === sum) return []
  return [`received ${count('received_total')} is not ${parts.map(name => `${name} ${count(name)}`).join(' + ')}`]
}
