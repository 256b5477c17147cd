import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { KafkaRecord, RecordFormat } from '../../sidecar/records/record.ts'
import { startReceiver } from './receiver.ts'

const fixtures = resolve('test/fixtures/kserve-requests')
const golden = resolve('test/golden')
const update = process.env['UPDATE_GOLDEN'] === '1'

const formats: readonly RecordFormat[] = ['cloudevent', 'structured', 'envelope']
/** As the downward API has it. `namespace` and `inferenceservicename` are KServe's own where it sends them. */
const environment = {
  podName: 'sklearn-iris-predictor-5d8f7c9b6-x2lkq',
  podNamespace: 'namespace-of-the-pod',
  nodeName: 'node-1',
  inferenceServiceName: 'name-of-the-pod',
  component: 'component-of-the-pod',
  revision: 'sklearn-iris-predictor-00001'
}

/** A record as text that shows a change in it at a glance: headers in order, one a line. */
function printed({ topic, key, value, headers }: KafkaRecord): string {
  const shown = {
    topic,
    key: key?.toString('utf8') ?? null,
    headers: headers.map(header =>
      Object.entries(header)
        .map(([name, text]) => `${name}: ${text}`)
        .join(' AND ')
    ),
    ...(isUtf8(value) ? { value: value.toString('utf8') } : { value_base64: value.toString('base64') })
  }
  return `${JSON.stringify(shown, null, 2)}\n`
}

const names = readdirSync(fixtures).map(file => file.replace(/\.http$/, ''))

for (const name of names) {
  test(`${name}, as KServe sent it, is in Kafka what test/golden/${name}.<format>.json says`, async t => {
    const send = await startReceiver(t, { environment })
    const { status, body, stored, irregular } = await send(readFileSync(join(fixtures, `${name}.http`)))
    assert.deepEqual(
      { status, body, irregular, events: stored.length },
      { status: 200, body: '', irregular: [], events: 1 }
    )
    const [event] = stored
    assert.ok(event)
    for (const format of formats) {
      const file = join(golden, `${name}.${format}.json`)
      const actual = printed(buildRecord(event, { format, key: 'id', maxEventBytes: 2 ** 20 }))
      if (update) writeFileSync(file, actual)
      assert.ok(existsSync(file), `${file} is missing: look at what UPDATE_GOLDEN=1 writes`)
      assert.equal(actual, readFileSync(file, 'utf8'))
    }
  })
}

test('every golden file has a fixture, and there are fixtures', () => {
  const expected = names.flatMap(name => formats.map(format => `${name}.${format}.json`))
  assert.ok(expected.length >= 60)
  assert.deepEqual(
    readdirSync(golden)
      .filter(file => file.endsWith('.json'))
      .sort(),
    expected.sort()
  )
})
