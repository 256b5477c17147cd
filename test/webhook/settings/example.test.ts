import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDocument } from 'yaml'
import { packageRoot } from '../../../cli/demo/package-root.ts'
import { annotations } from '../../../webhook/annotations/table.ts'
import { parseOptions } from '../../../webhook/annotations/parse.ts'
import { settingRows } from '../../../webhook/settings/rows.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'
import { load, LEAST } from './loading.ts'

/** The first block of YAML in a page of docs/. */
function exampleIn(page: string): string {
  const text = readFileSync(join(packageRoot(), 'docs', page), 'utf8')
  const block = /^```yaml\n(.*?)^```$/ms.exec(text)?.[1]
  assert.ok(block !== undefined, page)
  return block
}

test('the example of the documentation becomes these settings', () => {
  const expected: Settings = {
    image: 'registry.example/inference-logger:0.1.0',
    imagePullSecrets: ['registry-credentials'],
    kubernetesVersion: { major: 1, minor: 34 },
    kserveVersion: { major: 0, minor: 15 },
    port: 9480,
    metricsPort: 9481,
    kafka: {
      brokers: 'kafka-0.kafka:9093,kafka-1.kafka:9093,kafka-2.kafka:9093',
      configSecret: { kind: 'secret', name: 'kafka-credentials', key: 'kafka.properties' },
      ca: { kind: 'configMap', name: 'kafka-ca', key: 'ca.crt' },
      config: { 'security.protocol': 'SASL_SSL', 'sasl.mechanisms': 'SCRAM-SHA-512' }
    },
    defaults: {
      topic: '{namespace}.{inferenceservicename}',
      'topic-replication-factor': '3',
      durability: 'journal',
      'journal-max-bytes': '512Mi',
      'memory-limit': '256Mi'
    },
    annotations: { allow: ['brokers'], forbid: ['when-full'], onMistake: 'deny' },
    journal: {
      sizeLimit: '1Gi',
      claimTemplates: {
        fast: {
          metadata: { labels: { 'app.kubernetes.io/part-of': 'inference-logger' } },
          spec: {
            accessModes: ['ReadWriteOncePod'],
            storageClassName: 'fast',
            resources: { requests: { storage: '2Gi' } }
          }
        }
      },
      fsGroup: 65532
    },
    gracePeriod: { raise: true, agentDrainSeconds: 30, flushSeconds: 15 },
    securityContext: { runAsUser: 65532, runAsGroup: 65532 },
    env: { INFERENCE_LOGGER_REQUEST_TIMEOUT: '10s', INFERENCE_LOGGER_MAX_CONNECTIONS: '500' },
    ignoredNamespaces: ['model-staging']
  }
  assert.deepEqual(load(exampleIn('webhook-settings.md')), expected)
})

test('it has every setting that there is', () => {
  const document = parseDocument(exampleIn('webhook-settings.md'))
  for (const { path } of settingRows()) assert.ok(document.hasIn(path.split('.')), path)
})

test('and its settings are the defaults where they are not said to be otherwise', () => {
  const document = parseDocument(exampleIn('webhook-settings.md'))
  for (const { path, default: fallback } of settingRows().filter(row => row.default !== undefined)) {
    assert.equal(String(document.getIn(path.split('.'))), fallback, path)
  }
})

test('the documentation’s example of annotations has no mistakes', () => {
  const { metadata } = parseDocument(exampleIn('annotations.md')).toJS() as {
    metadata: { annotations: Record<string, string> }
  }
  const { mistakes, texts } = parseOptions(metadata.annotations, load(LEAST))
  assert.deepEqual(mistakes, [])
  assert.equal(Object.keys(texts).length, Object.keys(metadata.annotations).length)
})

test('the documentation has every annotation, with its variable', () => {
  const page = readFileSync(join(packageRoot(), 'docs', 'annotations.md'), 'utf8')
  for (const [name, annotation] of Object.entries(annotations)) {
    const row = page.split('\n').find(line => line.startsWith(`| \`${name}\` |`))
    assert.ok(row !== undefined, name)
    if ('variable' in annotation) assert.ok(row.endsWith(`| \`${annotation.variable}\` |`), row)
  }
})
