import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliProcess } from '../cli/cli-process.ts'
import { KServeAgent } from '../support/kserve-agent/index.ts'
import { MockCluster } from '../support/mock-cluster.ts'

const request = { body: '{"instances":[[6.8,2.8,4.8,1.4]]}', contentType: 'application/json' }
const response = { body: '{"predictions":[1]}', contentType: 'application/json' }

test('a pod that ends loses nothing: the agent goes on sending after SIGTERM, and all of it reaches Kafka', async t => {
  const cluster = await MockCluster.start(t)
  const sidecar = await CliProcess.start(t, {
    KAFKA_BROKERS: cluster.brokers,
    KAFKA_TOPIC: 'from-an-agent',
    INFERENCE_LOGGER_DRAIN_IDLE: '700ms',
    INFERENCE_LOGGER_GRACE_PERIOD: '20s'
  })
  const badLines: string[] = []
  const agent = new KServeAgent({ sink: sidecar.url, overtake: 0.3, seed: 7, onLogLine: line => badLines.push(line) })
  t.after(() => agent.close())
  const ids: string[] = []
  const predict = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) ids.push(await agent.logInference(request, response))
  }

  await predict(200)
  sidecar.signal('SIGTERM')
  const drained = agent.drain(300)
  for (let i = 0; i < 10; i++) {
    await predict(10)
    await sleep(50)
  }
  assert.deepEqual(await drained, { queued: 0, pending: 0, inFlight: 0 })
  assert.equal((await sidecar.ended).code, 0)

  assert.deepEqual(badLines, [], 'the agent logs a line for everything but a plain 200')
  assert.deepEqual([...agent.sentByStatus], [[200, 600]])
  assert.ok(agent.connectionsOpened < 60, `an empty 200 keeps connections: ${agent.connectionsOpened} were opened`)
  const records = await cluster.consume('from-an-agent', 600)
  const arrived = new Map<string, number>()
  for (const { key } of records) arrived.set(String(key), (arrived.get(String(key)) ?? 0) + 1)
  assert.deepEqual(
    ids.filter(id => arrived.get(id) !== 2),
    [],
    'a request and a response for each id'
  )
})
