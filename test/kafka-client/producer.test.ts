import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Kafka from 'node-rdkafka'
import { notATombstone } from '../../sidecar/records/record.ts'
import { call, MockCluster } from '../support/mock-cluster.ts'
import { recordOf, TestProducer } from './test-producer.ts'

/** Java's murmur2 (org.apache.kafka.common.utils.Utils), by which its producers choose a partition. */
function murmur2(data: Buffer): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ data.length
  const words = data.length >> 2
  for (let i = 0; i < words; i++) {
    let k = Math.imul(data.readInt32LE(i * 4), m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = data.length & 3
  for (let i = rest - 1; i >= 0; i--) h ^= (data[words * 4 + i] ?? 0) << (8 * i)
  if (rest > 0) h = Math.imul(h, m)
  h = Math.imul(h ^ (h >>> 13), m)
  return (h ^ (h >>> 15)) >>> 0
}

const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`)
const partitionOf = (key: string): number => (murmur2(Buffer.from(key)) & 0x7fffffff) % 4

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

describe('a producer', { concurrency: true }, () => {
  let cluster!: MockCluster
  // Ended by the process: a hook's context has no "after".
  const cleanUps: (() => unknown)[] = []
  before(async () => {
    cluster = await MockCluster.start({ after: cleanUp => void cleanUps.push(cleanUp) })
  })
  test.after(async () => {
    for (const cleanUp of cleanUps) await cleanUp()
  })

  test('chooses partitions as Java does: topic-level settings take effect in the second argument', async t => {
    const { producer, ...rest } = await TestProducer.start(t, cluster.brokers)
    for (const key of keys) assert.equal(producer.produce(recordOf('murmur2', key), key), undefined)
    const records = await cluster.consume('murmur2', keys.length)
    for (const { key, partition } of records) assert.equal(partition, partitionOf(String(key)), String(key))
    assert.deepEqual(rest.errors, [])
  })

  test('in the first argument they would be ignored, without a word: why they are sorted', async t => {
    const topicLevel = { partitioner: 'murmur2' } as object
    const producer = new Kafka.Producer({ 'bootstrap.servers': cluster.brokers, ...topicLevel }, {})
    await call(callback => producer.connect({}, callback))
    t.after(() => call(callback => producer.disconnect(callback)))
    for (const key of keys) producer.produce('crc32', null, Buffer.from(key), key)
    const records = await cluster.consume('crc32', keys.length)
    assert.ok(records.some(({ key, partition }) => partition !== partitionOf(String(key))))
  })

  test('an empty value has length 0 and is not null', async t => {
    const { producer } = await TestProducer.start(t, cluster.brokers)
    const empty = [Buffer.alloc(0), Buffer.from(''), Buffer.concat([]), Buffer.from('x').subarray(1)]
    for (const value of empty) producer.produce({ ...recordOf('empty', 'k'), value: notATombstone(value) }, 'k')
    for (const { value } of await cluster.consume('empty', empty.length)) {
      assert.ok(Buffer.isBuffer(value), 'a null value is a delete marker in a compacted topic')
      assert.equal(value.length, 0)
    }
  })

  // Since Node 22 V8 gives an empty Buffer an address, and the trap is shut.
  const emptyHasAddress = Number(process.versions.node.split('.')[0]) >= 22
  const why = 'node-rdkafka makes a tombstone of a Buffer without memory: why notATombstone exists'
  test(why, { skip: emptyHasAddress && 'on Node 20 only' }, async t => {
    const { producer } = await TestProducer.start(t, cluster.brokers)
    producer.produce({ ...recordOf('tombstone', 'k'), value: Buffer.alloc(0) }, 'k')
    const [record] = await cluster.consume('tombstone', 1)
    assert.equal(record?.value, null)
  })

  test('key, value and headers arrive as they were given, also bytes, NUL in a key, and headers in order', async t => {
    const { producer } = await TestProducer.start(t, cluster.brokers)
    const key = Buffer.from([0, 1, 255, 0])
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const headers = [{ ce_b: 'ä 日本 🙂' }, { ce_a: '' }, { 'content-type': 'x' }, { ce_b: 'again' }]
    producer.produce({ topic: 'bytes', key, value, headers }, 'k')
    const [record] = await cluster.consume('bytes', 1)
    assert.ok(record)
    assert.deepEqual(record.key, key)
    assert.deepEqual(record.value, value)
    const read = (record.headers ?? []).map(header =>
      Object.fromEntries(Object.entries(header).map(([name, bytes]) => [name, String(bytes)]))
    )
    assert.deepEqual(read, headers)
  })

  test('reports once on each record, and none is lost by closing when they were waited for', async t => {
    const self = await TestProducer.start(t, cluster.brokers)
    const tokens = Array.from({ length: 3000 }, (_, i) => `t${i}`)
    for (const token of tokens) self.producer.produce(recordOf('reports', token), token)
    await self.reported(tokens.length)
    await sleep(50)
    await self.close()
    assert.equal(self.reports.length, tokens.length)
    assert.deepEqual(new Set(self.reports.map(([token]) => token)), new Set(tokens))
    assert.ok(self.reports.every(([, error]) => error === undefined))
    assert.deepEqual(self.producer.abandon(), [])
  })

  test('what was abandoned is told once, and not reported on after that', async t => {
    const self = await TestProducer.start(t, `127.0.0.1:${await freePort()}`)
    for (const token of ['a', 'b', 'c']) self.producer.produce(recordOf('abandoned', token), token)
    assert.deepEqual(self.producer.abandon(), ['a', 'b', 'c'])
    assert.deepEqual(self.producer.abandon(), [])
    await self.close()
    await self.close()
    assert.equal(self.reports.length, 0)
  })

  test('starts without a broker, keeps what it is given, and delivers when the broker appears', async t => {
    const port = await freePort()
    const started = Date.now()
    const self = await TestProducer.start(t, `127.0.0.1:${port}`)
    assert.ok(Date.now() - started < 2000, 'a start waits for nobody')
    const tokens = Array.from({ length: 50 }, (_, i) => `late${i}`)
    for (const token of tokens) assert.equal(self.producer.produce(recordOf('late', token), token), undefined)
    await sleep(700)
    assert.equal(self.reports.length, 0)
    assert.ok(
      self.errors.some(({ code }) => code === -195 || code === -187),
      JSON.stringify(self.errors)
    )
    const sockets = new Set<Socket>()
    const proxy = createServer(socket => {
      const upstream = connect(cluster.port, '127.0.0.1')
      for (const [from, to] of [
        [socket, upstream],
        [upstream, socket]
      ] as const) {
        sockets.add(from)
        from.on('error', () => to.destroy()).pipe(to)
      }
    }).listen(port, '127.0.0.1')
    t.after(() => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    })
    await self.reported(tokens.length)
    assert.ok(self.reports.every(([, error]) => error === undefined))
    assert.equal((await cluster.consume('late', tokens.length)).length, tokens.length)
  })

  test('a record larger than message.max.bytes is refused at once with its code', async t => {
    const { producer } = await TestProducer.start(t, cluster.brokers)
    const record = { ...recordOf('large', 'k'), value: Buffer.alloc(15_000_000) }
    assert.equal(producer.produce(record, 'k')?.name, 'msg_size_too_large')
    assert.deepEqual(producer.abandon(), [])
  })

  test('properties that contradict each other fail the start with librdkafka’s words', async t => {
    await assert.rejects(TestProducer.start(t, cluster.brokers, { topic: { acks: '1' } }), /acks.*idempotence/i)
    await assert.rejects(
      TestProducer.start(t, cluster.brokers, {
        global: { 'security.protocol': 'ssl', 'ssl.ca.location': '/does/not/exist.pem' }
      }),
      /ssl\.ca\.location|exist\.pem/
    )
  })

  test('knows whether a topic exists', async t => {
    await cluster.createTopic('exists')
    const { producer } = await TestProducer.start(t, cluster.brokers)
    assert.equal(await producer.topicExists('exists'), true)
  })

  test('without a broker it says so instead of whether a topic exists, also when it is closed meanwhile', async t => {
    const address = `127.0.0.1:${await freePort()}`
    const [waiting, closing] = [await TestProducer.start(t, address), await TestProducer.start(t, address)]
    const answers = [waiting.producer.topicExists('any'), closing.producer.topicExists('any')]
    await sleep(50)
    await closing.close()
    for (const answer of await Promise.all(answers)) assert.equal(typeof answer, 'object', JSON.stringify(answer))
    assert.equal(typeof (await closing.producer.topicExists('any')), 'object')
  })
})
