import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { repositoryRoot } from '../support/kafka/tools.ts'
import {
  chartFolder,
  ciFile,
  ciValues,
  Helm,
  helmBuildTimeoutMs,
  type Rendered,
  withoutHelmTools
} from '../support/helm/index.ts'

const golden = join(repositoryRoot(), 'test', 'chart', 'golden')
const update = process.env['UPDATE_GOLDEN'] === '1'

/** What is rendered, and with which arguments. */
const cases: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(ciValues().map(name => [name, ['--values', ciFile(name)]])),
  ha: [
    '--values',
    ciFile('minimal'),
    '--values',
    join(chartFolder(), 'values-ha.yaml'),
    '--set',
    'gateway.enabled=true'
  ],
  openshift: [
    ...['--values', ciFile('gateway-stateful')],
    ...['--values', join(chartFolder(), 'values-openshift.yaml')]
  ]
}

describe('What the chart renders', { skip: withoutHelmTools() }, () => {
  let helm: Helm
  before(
    async () => {
      helm = await Helm.create()
      mkdirSync(golden, { recursive: true })
    },
    { timeout: helmBuildTimeoutMs }
  )
  after(() => helm.close())

  for (const [name, args] of Object.entries(cases)) {
    test(`with ${name} is test/chart/golden/${name}.yaml`, async () => {
      const text = printed(await helm.render(...args))
      const file = join(golden, `${name}.yaml`)
      if (update) writeFileSync(file, text)
      assert.ok(existsSync(file), 'UPDATE_GOLDEN=1 npm run test:chart writes it')
      assert.equal(text, readFileSync(file, 'utf8'))
    })
  }

  test('has a golden file for each case, and no other', () => {
    assert.deepEqual(
      readdirSync(golden).sort(),
      Object.keys(cases)
        .map(name => `${name}.yaml`)
        .sort()
    )
  })

  for (const [name, args] of Object.entries(cases)) {
    test(`with ${name} is the same each time, but for certificates of mode helm`, async () => {
      const [first, second] = await Promise.all([helm.render(...args), helm.render(...args)])
      assert.deepEqual(withoutCertificates(first), withoutCertificates(second))
      // Where nothing is generated, to the letter.
      const generates = first.some(({ kind }) => kind === 'Secret')
      assert.equal(JSON.stringify(first) === JSON.stringify(second), !generates)
    })
  }

  test('leaves the helm test’s hooks and the release’s objects without names of each other’s', async () => {
    for (const args of Object.values(cases)) {
      const names = (await helm.render(...args)).map(({ kind, metadata: { namespace = '', name } }) =>
        [kind, namespace, name].join('/')
      )
      assert.deepEqual(names, [...new Set(names)])
    }
  })
})

/** Objects in order of their names, as YAML. */
function printed(objects: readonly Rendered[]): string {
  const key = ({ kind, metadata: { name, namespace = '' } }: Rendered): string => `${kind}/${namespace}/${name}`
  return withoutCertificates(objects)
    .map(withoutFiles)
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
    .map(object => stringify(object, { lineWidth: 0 }))
    .join('---\n')
}

/** What is random or follows from the time of day. */
function withoutCertificates(objects: readonly Rendered[]): Rendered[] {
  const random = new Set([
    'ca.crt',
    'tls.crt',
    'tls.key',
    'caBundle',
    'checksum/certificate',
    'inference-logger.io/valid-until'
  ])
  const mayBeGiven = objects.every(({ kind }) => kind !== 'Secret')
  const masked = (key: string, value: unknown): unknown => (random.has(key) && !mayBeGiven ? '<generated>' : value)
  return JSON.parse(JSON.stringify(objects, masked)) as Rendered[]
}

/** What is in files of the chart, and tested where they are. */
function withoutFiles(object: Rendered): Rendered {
  if (object.kind === 'PrometheusRule') return { ...object, spec: { groups: '<files/rules>' } }
  if (object.kind !== 'ConfigMap' || !object.metadata.name.endsWith('-dashboard')) return object
  return { ...object, data: Object.fromEntries(Object.keys(object.data ?? {}).map(key => [key, '<files/dashboards>'])) }
}
