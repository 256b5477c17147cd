import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { annotations } from '../../webhook/annotations/table.ts'
import { isRecord } from '../../webhook/pod.ts'
import { chartFolder, ciFile, withoutHelmTools, helmOfSuite } from '../support/helm/index.ts'

interface Schema {
  $ref?: string
  type?: string | string[]
  enum?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: false | Schema
  $defs?: Record<string, Schema>
}

const read = (name: string): string => readFileSync(join(chartFolder(), name), 'utf8')
const values = parse(read('values.yaml')) as Record<string, unknown>
const schema = JSON.parse(read('values.schema.json')) as Schema

/** Free maps and lists: what is in them is Kubernetes', Kafka's or the user's. */
const isFree = ({ properties }: Schema): boolean => properties === undefined

describe('values.schema.json', { skip: withoutHelmTools() }, () => {
  const helm = helmOfSuite()

  test('knows each value of values.yaml, and no other', () => {
    const differences: string[] = []
    compare('', values, schema, differences)
    assert.deepEqual(differences, [])
  })

  test('refuses a misspelt key, wherever it is', async () => {
    const paths: string[] = []
    const misspelt = misspell('', values, schema, paths)
    assert.ok(paths.length > 30, `${paths.length} places`)
    const message = await helm().refusal('--values', ciFile('minimal'), '--values', helm().values(misspelt))
    const missing = paths.filter(
      path => !message.includes(`at '${path}': additional properties 'misspelt' not allowed`)
    )
    assert.deepEqual(missing, [], message)
  })

  test('names the key that was misspelt', async () => {
    const message = await helm().refusal('--set', 'sidecar.kafka.broker=kafka:9092')
    assert.match(message, /at '\/sidecar\/kafka': additional properties 'broker' not allowed/)
  })

  test('refuses an annotation that does not exist, and knows all that do', async () => {
    const args = ['--values', ciFile('minimal')]
    const refused = await helm().refusal(...args, '--set', 'sidecar.defaults.durabilty=fsync')
    assert.match(refused, /at '\/sidecar\/defaults': additional properties 'durabilty' not allowed/)
    const notDefaults = ['inject', 'brokers', 'kafka-config-secret', 'image']
    const names = Object.keys(annotations)
    const { sidecar } = schema.properties ?? {}
    assert.deepEqual(
      Object.keys(sidecar?.properties?.['defaults']?.properties ?? {}),
      names.filter(name => !notDefaults.includes(name))
    )
    assert.deepEqual(schema.$defs?.['annotation']?.enum, names)
  })

  for (const [what, set, says] of [
    ['a version that YAML would take for a number', { sidecar: { kserveVersion: 0.1 } }, /kserveVersion.*want string/],
    ['a port that needs privileges', { webhook: { port: 443 } }, /webhook\/port.*minimum/],
    ['no replicas of the webhook', { webhook: { replicas: 0 } }, /webhook\/replicas.*minimum/],
    ['an unknown mode', { webhook: { certificates: { mode: 'cert-manager' } } }, /mode.*must be one of 'helm'/],
    ['a time without a unit', { webhook: { drain: '5' } }, /drain.*does not match pattern/],
    ['a size without a number', { gateway: { journal: { maxBytes: 'much' } } }, /maxBytes.*does not match pattern/],
    ['a URL with another path', { webhook: { url: 'https://a.example/' } }, /url.*does not match pattern/],
    ['a caBundle that is none', { webhook: { certificates: { existingSecret: { caBundle: 'x' } } } }, /caBundle/]
  ] as const) {
    test(`refuses ${what}`, async () => {
      assert.match(await helm().refusal('--values', ciFile('minimal'), '--values', helm().values(set)), says)
    })
  }

  test('takes the globals of a chart that has this one', async () => {
    await helm().render('--values', ciFile('minimal'), '--set', 'global.imageRegistry=registry.example')
  })
})

function resolved(part: Schema): Schema {
  const name = part.$ref?.replace('#/$defs/', '')
  return name === undefined ? part : (schema.$defs?.[name] ?? {})
}

function compare(path: string, value: unknown, described: Schema, differences: string[]): void {
  const { properties } = described
  if (properties === undefined) return
  if (described.additionalProperties !== false) differences.push(`${path || '/'}: takes any key`)
  const given = isRecord(value) ? value : {}
  // What values.yaml has as an empty map is somebody else's structure, or optional.
  if (Object.keys(given).length === 0) return
  for (const key of Object.keys(given)) if (!(key in properties)) differences.push(`${path}/${key}: not in the schema`)
  for (const [key, part] of Object.entries(properties)) {
    if (path === '' && key === 'global') continue
    if (!(key in given) && !isKubernetes(path)) differences.push(`${path}/${key}: not in values.yaml`)
    compare(`${path}/${key}`, given[key], resolved(part), differences)
  }
}

/** Whose fields are optional and not listed in values.yaml. */
function isKubernetes(path: string): boolean {
  return /\/(?:resources|objectSelector|namespaceSelector|issuerRef|behavior)$/.test(path)
}

function misspell(path: string, value: unknown, described: Schema, paths: string[]): Record<string, unknown> {
  paths.push(path)
  const own = Object.entries(described.properties ?? {}).flatMap(([key, part]) => {
    const inner = resolved(part)
    return isFree(inner) ? [] : [[key, misspell(`${path}/${key}`, isRecord(value) ? value[key] : {}, inner, paths)]]
  })
  return { ...(Object.fromEntries(own) as Record<string, unknown>), misspelt: true }
}
