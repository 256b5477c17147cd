import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CliProcess } from '../cli/cli-process.ts'
import { bodyOf, EventSender, makeEvent, makeEvents, numbersIn } from '../support/events.ts'
import { type Kafka, type KafkaRecord, openKafka, withoutKafka } from '../support/kafka/index.ts'
import { SidecarProcess, total } from '../support/sidecar-process.ts'

const topicLimit = 2000
const small = 500
const big = 50_000

const textOf = ({ headers }: KafkaRecord, name: string): string =>
  String(headers.find(([header]) => header === name)?.[1] ?? '')

describe('an event that its topic refuses for good', { skip: withoutKafka, timeout: 120_000 }, () => {
  let kafka: Kafka
  before(async () => {
    kafka = await openKafka()
  })
  after(() => kafka.close())

  for (const durability of ['journal', 'memory']) {
    test(`durability ${durability}: is kept in a file and noted in a topic, holds up nobody, and is delivered by a replay`, async t => {
      const directory = mkdtempSync(join(tmpdir(), 'inference-logger-dead-letters-'))
      t.after(() => rmSync(directory, { recursive: true, force: true }))
      const topic = kafka.newTopicName('refusing')
      const deadLetterTopic = kafka.newTopicName('dead-letters')
      await kafka.createTopic(topic, { config: { 'max.message.bytes': String(topicLimit) } })
      const sidecar = await SidecarProcess.start({
        KAFKA_BROKERS: kafka.bootstrap,
        KAFKA_TOPIC: topic,
        INFERENCE_LOGGER_DURABILITY: durability,
        INFERENCE_LOGGER_JOURNAL_DIR: directory,
        INFERENCE_LOGGER_DEAD_LETTER_TOPIC: deadLetterTopic
      })
      t.after(() => sidecar.close())
      const sender = new EventSender(sidecar.url)
      t.after(() => sender.close())
      const events = makeEvents(100, { bytes: small })
      events.splice(50, 0, makeEvent(1000, { bytes: big }))
      assert.deepEqual([...(await sender.sendAll(events)).refused], [])

      const delivered = await kafka.consume(topic, { atLeast: 100 })
      const { numbers } = numbersIn(delivered, () => small)
      assert.deepEqual(numbers, new Set(Array.from({ length: 100 }, (_, i) => i)))
      const metrics = await sidecar.waitFor(
        'the note is in its topic',
        found => found.get('inference_logger_dead_letter_topic_records_total{result="delivered"}') === 1
      )
      assert.equal(metrics.get('inference_logger_events_dead_lettered_total{reason="record_too_large"}'), 1)
      assert.equal(total(metrics, 'inference_logger_events_dropped_total'), 0)
      assert.equal(metrics.get('inference_logger_events_pending'), 0)
      assert.equal(total(metrics, 'inference_logger_events_delivered_total'), 100)
      assert.ok(Number(metrics.get('inference_logger_dead_letter_bytes')) > big)

      const [note, ...others] = await kafka.consume(deadLetterTopic, { atLeast: 1 })
      assert.ok(note)
      assert.deepEqual(others, [])
      const body = bodyOf(1000, big)
      assert.equal(String(note.key), 'event-1000')
      assert.deepEqual(note.value, body.subarray(0, 16_384))
      assert.equal(textOf(note, 'ce_type'), 'org.kubeflow.serving.inference.request')
      assert.equal(textOf(note, 'inference-logger-dead-letter-topic'), topic)
      assert.equal(textOf(note, 'inference-logger-dead-letter-reason'), 'record_too_large')
      assert.equal(textOf(note, 'inference-logger-dead-letter-error-code'), '10')
      assert.equal(textOf(note, 'inference-logger-dead-letter-size'), String(big))
      const digest = createHash('sha256').update(body).digest('hex')
      assert.equal(textOf(note, 'inference-logger-dead-letter-sha256'), digest)

      const run = (...args: string[]) =>
        CliProcess.run(t, ['dead-letters', ...args, '--dir', directory], { KAFKA_BROKERS: kafka.bootstrap })
      const list = await run('list')
      assert.match(list.stdout, new RegExp(`record_too_large +${topic} +event-1000 .*49 KiB`))
      const tooEarly = await run('replay')
      assert.equal(tooEarly.code, 1, tooEarly.stdout)
      assert.match(tooEarly.stdout, new RegExp(`^refused again: event-1000 for ${topic}: .*too large`, 'im'))

      await kafka.configureTopic(topic, { 'max.message.bytes': '1000000' })
      const replay = await run('replay')
      assert.deepEqual(
        [replay.code, replay.stdout, replay.stderr],
        [0, '1 delivered; what was delivered is removed from the files\n', '']
      )
      const records = await kafka.consume(topic, { atLeast: 101 })
      const late = records.filter(({ key }) => String(key) === 'event-1000')
      assert.deepEqual(
        late.map(record => [record.value, textOf(record, 'inference-logger-replayed')]),
        [[body, 'true']]
      )
      assert.deepEqual(readdirSync(join(directory, 'dead-letters')), [])
      assert.equal(await sender.send(makeEvent(2000)), 200)
      await kafka.consume(topic, { atLeast: 102 })
    })
  }
})
