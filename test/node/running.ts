import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type NodeCluster, nodeName, sidecarName } from '../support/node/index.ts'

// OpenShift gives a namespace such a range, and group 0.
const randomUser = 1_000_650_000

/** A pod in which nothing goes wrong, under the strictest rules. */
export function running(cluster: () => NodeCluster): void {
  it('logs to Kafka under Pod Security restricted, with a random user id and a read-only root', async () => {
    const { kafka, namespace } = cluster()
    const predictor = await cluster().predictor('plain', {
      securityContext: { runAsUser: randomUser, runAsGroup: 0 }
    })
    await predictor.ready()
    const load = await predictor.predict(2000, { perSecond: 20 })
    assert.deepEqual(load.failures, [])
    await predictor.delivered()

    const { answers, name, podName, topic } = predictor
    assert.ok(answers.acknowledged.size >= 20, `${answers.acknowledged.size} events`)
    assert.equal(answers.refused.size, 0)
    const arrived = await cluster().arrived(predictor)
    assert.deepEqual([...arrived.keys()].sort(), [...answers.acknowledged].sort())
    for (const event of arrived.values()) {
      const { ce_id: _id, ce_type: _type, ...extensions } = event
      assert.deepEqual(extensions, {
        ce_inferenceservicename: name,
        ce_namespace: namespace,
        ce_component: 'predictor',
        ce_pod: podName,
        ce_node: nodeName
      })
    }
    const [record] = await kafka.consume(topic, { atLeast: 1 })
    assert.match(String(record?.value), /^\{"instances":\[\[5\.1/)

    const exec = (...command: string[]): Promise<string> =>
      cluster().kubectl('exec', podName, '-c', sidecarName, '--', ...command)
    assert.equal(await exec('id', '-u'), `${randomUser}\n`)
    assert.equal(await exec('id', '-g'), '0\n')
    await assert.rejects(exec('touch', '/app/file'), /Read-only file system/)
    await exec('test', '-s', '/var/lib/inference-logger/lock')
    assert.match(await cluster().kubectl('logs', podName, '-c', sidecarName), /"msg":"ready"/)
  })
}
