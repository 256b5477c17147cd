import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { KafkaRecord } from '../../sidecar/records/record.ts'
import { httpRequest, startReceiver } from '../golden/receiver.ts'

/** What the original service wrote to Kafka. */
interface SeedRecord {
  key: string | null
  headers: [string, string][]
  value: string
}

interface OddBody {
  name: string
  headers: Record<string, string>
  body_base64: string
  record: SeedRecord | null
}

const fixtures = resolve('test/fixtures')
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(fixtures, path), 'utf8'))

/** Each captured request with what the original made of it; null: it answered 202 and dropped the event. */
const captured: { name: string; request: Buffer; record: SeedRecord | null }[] = [
  ...readdirSync(join(fixtures, 'seed-records'))
    .filter(file => file !== 'odd-bodies.json')
    .map(file => ({
      name: file.replace(/\.json$/, ''),
      request: readFileSync(join(fixtures, 'kserve-requests', file.replace(/\.json$/, '.http'))),
      record: readJson(join('seed-records', file)) as SeedRecord | null
    })),
  ...(readJson('seed-records/odd-bodies.json') as OddBody[]).map(({ name, headers, body_base64, record }) => ({
    name,
    request: httpRequest(headers, Buffer.from(body_base64, 'base64')),
    record
  }))
]

/** Headers that the original did not have. */
const ours = ['ce_receivedtime', 'ce_contentencoding', 'ce_pod', 'ce_node', 'ce_revision']

async function envelopeOf(t: TestContext, request: Buffer): Promise<KafkaRecord> {
  const environment = {
    podName: 'pod',
    podNamespace: 'ns',
    nodeName: 'node',
    inferenceServiceName: 'is',
    revision: 'rev'
  }
  const { status, stored } = await (await startReceiver(t, { environment }))(request)
  assert.equal(status, 200)
  const [event] = stored
  assert.ok(event !== undefined && stored.length === 1)
  return buildRecord(event, { format: 'envelope', key: 'id', maxEventBytes: 2 ** 20 })
}

const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1)

describe('an envelope record is what the original service wrote', () => {
  for (const { name, request, record } of captured) {
    if (record === null) continue
    test(`for ${name}`, async t => {
      const { key, value, headers } = await envelopeOf(t, request)
      const text = value.toString()
      assert.deepEqual(JSON.parse(text), JSON.parse(record.value))
      assert.deepEqual(Object.keys(JSON.parse(text) as object), Object.keys(JSON.parse(record.value) as object))
      const pairs = headers.flatMap(header => Object.entries(header)).filter(([header]) => !ours.includes(header))
      assert.deepEqual(pairs.sort(byName), record.headers.sort(byName))
      // The original had no key: the partition was left to chance, and a request’s response went to another one.
      assert.equal(record.key, null)
      assert.equal(key?.toString(), (JSON.parse(record.value) as { id: string }).id)
    })
  }
})

/** What the original dropped behind a 202, and what is in Kafka now. `…`: the head with type, id and time. */
const dropped: Readonly<Record<string, string>> = {
  'master-v0.20__get-empty__request': '…"payload":"","payload_encoding":"base64"}',
  'master-v0.20__get-empty__response': '…"payload":{"name":"sklearn-iris","ready":true}}',
  'master-v0.20__gzip-request-body__request': '…"payload":{"instances":[1]}}',
  'master-v0.20__openai-stream__request': '…"payload":{"model":"m","prompt":"hi","stream":true}}',
  'master-v0.20__openai-stream__response': inBase64(
    'data: {"id":"cmpl-1","choices":[{"text":"tok0"}]}\n\ndata: {"id":"cmpl-1","choices":[{"text":"tok1"}]}\n\ndata: [DONE]\n\n'
  ),
  'master-v0.20__v2-binary__request': inBase64(
    '{"inputs":[{"name":"i","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}\x00\x00\x80\x3f'
  ),
  'master-v0.20__v2-binary__response': inBase64(
    '{"model_name":"m","outputs":[{"name":"o","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}\x00\x00\x80\x3f'
  ),
  'overflow-number': '…"payload":{"instances":[1e400]}}',
  'trailing-bytes': inBase64('{"instances":[1]} x'),
  'json-array': '…"payload":[1,2]}',
  'null-instances': '…"payload":{"instances":null}}',
  'v2-infer': '…"payload":{"inputs":[{"name":"i","shape":[1],"datatype":"FP32","data":[1.0]}]}}',
  'literal-control': inBase64('{"instances":["a\tb"]}'),
  'unknown-type': '…"payload":{"instances":[1]}}'
}

function inBase64(latin1: string): string {
  return `…"payload":"${Buffer.from(latin1, 'latin1').toString('base64')}","payload_encoding":"base64"}`
}

describe('an event that the original service dropped is kept', () => {
  test('in each of the cases listed here', () => {
    const names = captured.filter(({ record }) => record === null).map(({ name }) => name)
    assert.deepEqual(names.sort(), Object.keys(dropped).sort())
  })

  for (const [name, expected] of Object.entries(dropped)) {
    test(`${name}: ${expected.slice(0, 70)}`, async t => {
      const { request } = captured.find(one => one.name === name) ?? assert.fail(`no fixture ${name}`)
      const { value, headers } = await envelopeOf(t, request)
      const attribute = (header: string): string => headers.flatMap(one => one[header] ?? [])[0] ?? ''
      const kind = name === 'unknown-type' ? 'com.example.other' : attribute('ce_type').replace(/^.*\./, '')
      const seconds = Math.floor(Date.parse(attribute('ce_time')) / 1000)
      const head = `{"type":"${kind}","id":"${attribute('ce_id')}","time":${seconds},`
      assert.equal(value.toString(), expected.replace('…', head))
      assert.equal(
        headers.some(header => 'ce_contentencoding' in header),
        false
      )
    })
  }
})
