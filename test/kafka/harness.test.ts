import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import rdkafka from 'node-rdkafka'
import { freePorts, KafkaCluster, type ProbeError, withoutOwnKafka } from '../support/kafka/index.ts'

describe('the Kafka of the tests', { skip: withoutOwnKafka, timeout: 120_000 }, () => {
  let cluster: KafkaCluster
  before(async () => {
    cluster = await KafkaCluster.start()
  })
  after(() => cluster.close())

  test('creates topics as asked and describes them', async () => {
    await cluster.createTopic('described', { partitions: 3, config: { 'max.message.bytes': '2000' } })
    const topic = await cluster.describeTopic('described')
    assert.deepEqual(topic, {
      partitions: [0, 1, 2].map(partition => ({ partition, leader: 0, replicas: [0], inSync: [0] })),
      config: { 'max.message.bytes': '2000' }
    })
    assert.equal(await cluster.leaderOf('described', 2), 0)
    assert.equal(await cluster.describeTopic('not-there'), null)
  })

  test('says by name why a topic cannot be created', async () => {
    await assert.rejects(cluster.createTopic('too-safe', { replication: 5 }), (error: ProbeError) => {
      assert.equal(error.code, 'InvalidReplicationFactorException')
      return true
    })
  })

  test('tells null from empty, keeps headers in order with their duplicates, and bytes as they are', async () => {
    await cluster.createTopic('bytes')
    const value = Buffer.from([0, 255, 128, 13, 10, 0])
    await cluster.produce('bytes', [
      { key: null, value: null },
      { key: Buffer.alloc(0), value: Buffer.alloc(0) },
      {
        key: Buffer.from('é'),
        value,
        headers: [
          ['b', value],
          ['a', null],
          ['b', Buffer.alloc(0)]
        ]
      }
    ])
    const records = await cluster.consume('bytes', { atLeast: 3 })
    assert.deepEqual(
      records.map(({ key, value, headers, offset }) => ({ key, value, headers, offset })),
      [
        { key: null, value: null, headers: [], offset: 0 },
        { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [], offset: 1 },
        {
          key: Buffer.from('é'),
          value,
          headers: [
            ['b', value],
            ['a', null],
            ['b', Buffer.alloc(0)]
          ],
          offset: 2
        }
      ]
    )
  })

  test('reads what librdkafka wrote', async () => {
    await cluster.createTopic('from-librdkafka', { partitions: 2 })
    const producer = new rdkafka.Producer(
      { 'bootstrap.servers': cluster.bootstrap, 'enable.idempotence': true, 'compression.codec': 'lz4' },
      { partitioner: 'murmur2_random' }
    )
    await new Promise((resolve, reject) =>
      producer.connect({}, error => (error ? reject(new Error(error.message)) : resolve(undefined)))
    )
    const keys = Array.from({ length: 500 }, (_, number) => Buffer.from(`key-${number}`))
    for (const key of keys) producer.produce('from-librdkafka', null, Buffer.from(`value of ${key.toString()}`), key)
    await new Promise(resolve => producer.flush(10_000, resolve))
    await new Promise(resolve => producer.disconnect(resolve))

    const records = await cluster.consume('from-librdkafka', { atLeast: 500 })
    assert.equal(records.length, 500)
    const partitions = await cluster.partitionsOf(keys, 2)
    for (const { key, value, partition } of records) {
      assert.equal(String(value), `value of ${String(key)}`)
      assert.equal(partition, partitions[keys.findIndex(other => other.equals(key ?? Buffer.alloc(0)))])
    }
  })

  test('says how many records came when they are fewer than expected', async () => {
    await cluster.createTopic('short')
    await cluster.produce('short', [{ key: null, value: Buffer.from('1') }])
    await assert.rejects(cluster.consume('short', { atLeast: 2, timeoutMs: 1500 }), /1 of 2 records in short/)
  })

  test('keeps its data when a broker is killed and started on another port', async () => {
    await cluster.createTopic('kept')
    await cluster.produce('kept', [{ key: null, value: Buffer.from('before') }])
    await cluster.kill(0)
    const before = cluster.bootstrap
    await cluster.startBroker(0, { port: (await freePorts(1))[0] ?? 0 })
    assert.notEqual(cluster.bootstrap, before)
    await cluster.produce('kept', [{ key: null, value: Buffer.from('after') }])
    assert.deepEqual(
      (await cluster.consume('kept', { atLeast: 2 })).map(({ value }) => String(value)),
      ['before', 'after']
    )
  })

  test('answers nothing while paused and goes on afterwards', async () => {
    await cluster.createTopic('paused')
    cluster.pause(0)
    let answered = false
    const produced = cluster.produce('paused', [{ key: null, value: Buffer.from('1') }]).then(() => (answered = true))
    await new Promise(resolve => setTimeout(resolve, 1500))
    assert.equal(answered, false)
    cluster.resume(0)
    await produced
    assert.equal((await cluster.consume('paused', { atLeast: 1 })).length, 1)
  })
})

test('three brokers elect another leader when one is killed', { skip: withoutOwnKafka, timeout: 120_000 }, async t => {
  const cluster = await KafkaCluster.start({ brokers: 3 })
  t.after(() => cluster.close())
  await cluster.createTopic('replicated', { replication: 3, config: { 'min.insync.replicas': '2' } })
  await cluster.produce('replicated', [{ key: null, value: Buffer.from('1') }])
  const leader = await cluster.leaderOf('replicated', 0)
  assert.ok(leader !== undefined)
  await cluster.kill(leader)
  const isElsewhere = (now: number | undefined): boolean => now !== undefined && now !== -1 && now !== leader
  await cluster.waitForTopic('replicated', ({ partitions }) => isElsewhere(partitions[0]?.leader))
  await cluster.produce('replicated', [{ key: null, value: Buffer.from('2') }])
  assert.equal((await cluster.consume('replicated', { atLeast: 2 })).length, 2)
  await cluster.startBroker(leader)
  await cluster.waitForTopic('replicated', ({ partitions }) => partitions[0]?.inSync.length === 3)
})

test('nothing is left of a cluster whose process was killed', { skip: withoutOwnKafka, timeout: 60_000 }, async () => {
  const script = `
    const { KafkaCluster } = await import(${JSON.stringify(new URL('../support/kafka/cluster.js', import.meta.url))})
    const cluster = await KafkaCluster.start()
    cluster.pause(0)
    console.log(JSON.stringify(cluster.owned))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { processes, folder } = JSON.parse(line.toString()) as { processes: number[]; folder: string }
  assert.equal(processes.length, 1)
  assert.ok(existsSync(folder))
  child.kill('SIGKILL')
  const deadline = performance.now() + 15_000
  while (existsSync(folder) || processes.some(isAlive)) {
    assert.ok(performance.now() < deadline, 'still there after 15 s')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
