import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { EventSender, makeEvents, numberOf, sendRaw } from '../support/events.ts'
import { type Kafka, type KafkaRecord, openKafka, repositoryRoot, withoutKafka } from '../support/kafka/index.ts'
import { SidecarProcess } from '../support/sidecar-process.ts'

interface Captured {
  name: string
  bytes: Buffer
  body: Buffer
  /** By name in lower case, values as the bytes that came. */
  headers: Map<string, Buffer>
}

const fixtures = join(repositoryRoot(), 'test', 'fixtures')
const captured = readdirSync(join(fixtures, 'kserve-requests')).map(readCaptured)

describe('a captured KServe request', { skip: withoutKafka, timeout: 120_000 }, () => {
  let kafka: Kafka
  before(async () => {
    kafka = await openKafka()
  })
  after(() => kafka.close())

  test('becomes a record: key the id, value the body to the byte, headers the attributes', async t => {
    const topic = kafka.newTopicName('cloudevent')
    await kafka.createTopic(topic)
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap, KAFKA_TOPIC: topic })
    t.after(() => sidecar.close())
    for (const { bytes, name } of captured) assert.equal(await sendRaw(sidecar.url, bytes), 200, name)

    const records = await kafka.consume(topic, { atLeast: captured.length })
    assert.equal(records.length, captured.length)
    const added = new Set(['ce_receivedtime', 'ce_contentencoding'])
    for (const { name, body, headers } of captured) {
      const record = recordOf(records, headers)
      assert.deepEqual(record.key, headers.get('ce-id'), name)
      assert.deepEqual(record.value, body, name)
      const expected = [...headers]
        .filter(([header]) => header.startsWith('ce-') || header === 'content-type')
        .map(([header, value]) => [header.replace(/^ce-/, 'ce_'), value.toString()])
      const actual = record.headers
        .filter(([header]) => !added.has(header))
        .map(([header, v]) => [header, v?.toString()])
      assert.deepEqual(actual.sort(byName), expected.sort(byName), name)
      const isGzip = body.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))
      assert.equal(header(record, 'ce_contentencoding'), isGzip ? 'gzip' : undefined, name)
      const age = Date.now() - Date.parse(header(record, 'ce_receivedtime') ?? '')
      assert.ok(age >= 0 && age < 120_000, `${name}: received ${age} ms ago`)
    }
  })

  test('with an empty body becomes an empty value, not a tombstone', async t => {
    const topic = kafka.newTopicName('empty')
    await kafka.createTopic(topic)
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap, KAFKA_TOPIC: topic })
    t.after(() => sidecar.close())
    const empty = captured.filter(({ body }) => body.length === 0)
    assert.ok(empty.length > 0)
    for (const { bytes } of empty) assert.equal(await sendRaw(sidecar.url, bytes), 200)
    for (const { value } of await kafka.consume(topic, { atLeast: empty.length }))
      assert.deepEqual(value, Buffer.alloc(0))
  })

  test('through the gateway becomes what the original service wrote, and what it dropped is written too', async t => {
    const topic = kafka.newTopicName('envelope')
    await kafka.createTopic(topic)
    const gateway = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap, KAFKA_TOPIC: topic }, 'gateway')
    t.after(() => gateway.close())
    for (const { bytes, name } of captured) assert.equal(await sendRaw(gateway.url, bytes), 200, name)

    const records = await kafka.consume(topic, { atLeast: captured.length })
    assert.equal(records.length, captured.length)
    for (const { name, body, headers } of captured) {
      const value = JSON.parse(String(recordOf(records, headers).value)) as Record<string, unknown>
      const seed = join(fixtures, 'seed-records', `${basename(name, '.http')}.json`)
      const original = JSON.parse(readFileSync(seed, 'utf8')) as { value: string } | null
      if (original) assert.deepEqual(value, JSON.parse(original.value), name)
      else assert.deepEqual(value['payload'], payloadOf(body), name)
      assert.equal(value['id'], String(headers.get('ce-id')))
    }
  })
})

test(
  'a key lands on the partition that Java’s producer picks for it',
  { skip: withoutKafka, timeout: 60_000 },
  async t => {
    const kafka = await openKafka()
    t.after(() => kafka.close())
    const topic = kafka.newTopicName('partitions')
    await kafka.createTopic(topic, { partitions: 7 })
    const sidecar = await SidecarProcess.start({ KAFKA_BROKERS: kafka.bootstrap, KAFKA_TOPIC: topic })
    t.after(() => sidecar.close())
    const sender = new EventSender(sidecar.url)
    t.after(() => sender.close())
    const events = makeEvents(300)
    assert.equal((await sender.sendAll(events)).accepted.size, events.length)

    const expected = await kafka.partitionsOf(
      events.map(({ id }) => Buffer.from(id)),
      7
    )
    assert.equal(new Set(expected).size, 7)
    const records = await kafka.consume(topic, { atLeast: events.length })
    for (const { key, partition } of records) assert.equal(partition, expected[numberOf(key)], String(key))
  }
)

function readCaptured(name: string): Captured {
  const bytes = readFileSync(join(fixtures, 'kserve-requests', name))
  const end = bytes.indexOf('\r\n\r\n')
  const lines = bytes.subarray(0, end).toString('latin1').split('\r\n').slice(1)
  const headers = lines.map((line): [string, Buffer] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), Buffer.from(line.slice(colon + 1).trim(), 'latin1')]
  })
  return { name, bytes, body: bytes.subarray(end + 4), headers: new Map(headers) }
}

/** A request and its response have the same id: only with the type is it an event's own. */
function recordOf(records: KafkaRecord[], headers: Map<string, Buffer>): KafkaRecord {
  const found = records.filter(
    record =>
      header(record, 'ce_id') === headers.get('ce-id')?.toString() &&
      header(record, 'ce_type') === headers.get('ce-type')?.toString()
  )
  const [record] = found
  assert.ok(record && found.length === 1, `${found.length} records of ${String(headers.get('ce-id'))}`)
  return record
}

function header(record: KafkaRecord, name: string): string | undefined {
  return record.headers.find(([other]) => other === name)?.[1]?.toString()
}

/** What the envelope holds for a body that the original service dropped. */
function payloadOf(body: Buffer): unknown {
  const text = body[0] === 0x1f ? gunzipSync(body) : body
  try {
    return JSON.parse(text.toString())
  } catch {
    return body.toString('base64')
  }
}

function byName([a]: unknown[], [b]: unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}
