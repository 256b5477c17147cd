import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCluster, type NewRecord, withoutOwnKafka } from '../support/kafka/index.ts'
import { start } from '../tail/cli.ts'

const record = (key: string, value: string): NewRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: [['ce_id', Buffer.from(value)]]
})

describe('tail follows a real Kafka', { skip: withoutOwnKafka, timeout: 90_000 }, () => {
  test('through its absence, a topic that comes late, more partitions, and a restart', async t => {
    const cluster = await KafkaCluster.prepare({ config: { 'auto.create.topics.enable': 'false' } })
    t.after(() => cluster.close())
    const run = start(['tail', '-b', cluster.bootstrap, '-t', 'late', '--json'], {}, 80_000)
    t.after(() => run.kill('SIGKILL'))
    let number = 0
    const writeAndSee = async (): Promise<void> => {
      const value = `record-${++number}`
      await cluster.produce('late', [record(String(number), value)])
      await run.until(`"data":"${value}"`)
    }

    await run.until('trying again')
    await cluster.startAll()
    await run.until('Kafka answers')
    await run.until('there is no topic late')
    await cluster.createTopic('late', { partitions: 3 })
    for (let i = 0; i < 5; i++) await writeAndSee()
    await cluster.stopBroker(0)
    await cluster.startBroker(0)
    await writeAndSee()

    run.kill('SIGINT')
    assert.equal(await run.exit, 0, run.stderr)
    const ids = run.stdout
      .trimEnd()
      .split('\n')
      .map(line => (JSON.parse(line) as { attributes: { id: string } }).attributes.id)
    assert.deepEqual(
      ids,
      [1, 2, 3, 4, 5, 6].map(n => `record-${n}`)
    )
    assert.match(run.stderr, /following late from now on/)
  })

  test('from now on means from where the topic ended', async t => {
    const cluster = await KafkaCluster.start()
    t.after(() => cluster.close())
    await cluster.createTopic('models', { partitions: 4 })
    const records = (from: number) => Array.from({ length: 20 }, (_, i) => record(`key-${i}`, `record-${from + i}`))
    await cluster.produce('models', records(0))
    const run = start(['tail', '-b', cluster.bootstrap, '-t', '^mod', '-n', '20'])
    await run.until('following models')
    await cluster.produce('models', records(100))
    assert.equal(await run.exit, 0, run.stderr)
    assert.equal(run.stdout.match(/record-1\d\d\n/g)?.length, 20, run.stdout)
  })
})
