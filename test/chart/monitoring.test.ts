import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { chartFolder, ciFile, objectOf, type Rendered, withoutHelmTools, helmOfSuite } from '../support/helm/index.ts'

interface Rule {
  alert?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}
interface Group {
  name: string
  rules: Rule[]
}

const filesIn = (folder: string): [string, string][] =>
  readdirSync(join(chartFolder(), 'files', folder)).map(name => [
    name,
    readFileSync(join(chartFolder(), 'files', folder, name), 'utf8')
  ])

describe('The chart’s objects for Prometheus and Grafana', { skip: withoutHelmTools() }, () => {
  const helm = helmOfSuite()

  test('the PrometheusRule has the groups of files/rules, each as it is', async () => {
    const groups = filesIn('rules').flatMap(([, text]) => (parse(text) as { groups: Group[] }).groups)
    assert.ok(groups.length > 0)
    assert.deepEqual(await groupsWith('prometheusRule.enabled=true', 'serviceMonitor.enabled=true'), groups)
  })

  // absent() of what nobody scrapes would be reported for ever.
  test('alerts about the webhook are there where it is, and is scraped', async () => {
    const names = async (...set: readonly string[]): Promise<string[]> =>
      (await groupsWith('prometheusRule.enabled=true', ...set)).map(({ name }) => name)
    assert.deepEqual(await names(), ['inference-logger', 'inference-logger-injection'])
    const gatewayOnly = ['../webhook.enabled=false', '../gateway.enabled=true']
    assert.deepEqual(await names('serviceMonitor.enabled=true', ...gatewayOnly), ['inference-logger'])
  })

  test('alerts lead to their runbooks where the settings say where these are', async () => {
    const set = ['prometheusRule.enabled=true', 'prometheusRule.runbookUrl=https://git.example/blob/main/']
    for (const { alert, annotations } of alertsOf(await groupsWith(...set))) {
      assert.equal(annotations?.['runbook_url'], `https://git.example/blob/main/docs/runbooks/${alert}.md`)
    }
  })

  test('alerts can be left out by name, and all of them get labels', async () => {
    const all = alertsOf(await groupsWith('prometheusRule.enabled=true'))
    const [first] = all
    const fewer = await groupsWith(
      'prometheusRule.enabled=true',
      `prometheusRule.disabledAlerts={${first?.alert}}`,
      'prometheusRule.alertLabels.team=platform'
    )
    const names = (alerts: Rule[]): (string | undefined)[] => alerts.map(({ alert }) => alert)
    assert.deepEqual(names(alertsOf(fewer)), names(all).slice(1))
    for (const { alert, labels } of alertsOf(fewer)) {
      assert.equal(labels?.['team'], 'platform', alert)
      assert.ok(labels['severity'], `${alert} keeps its own`)
    }
  })

  test('the dashboard’s ConfigMap has the files of files/dashboards, and Grafana’s label', async () => {
    const map = objectOf(await rendered('dashboard.enabled=true'), 'ConfigMap', '-dashboard')
    const files = filesIn('dashboards').filter(([name]) => name.endsWith('.json'))
    assert.ok(files.length > 0)
    assert.deepEqual(
      Object.keys(map.data ?? {}),
      files.map(([name]) => name)
    )
    for (const [name, text] of files) assert.deepEqual(JSON.parse(map.data?.[name] ?? ''), JSON.parse(text))
    assert.equal(map.metadata.labels?.['grafana_dashboard'], '1')
  })

  test('the PodMonitor finds sidecars in all namespaces, by their port’s name, with KServe’s labels', async () => {
    const { metadata, spec } = objectOf(await rendered('podMonitor.enabled=true'), 'PodMonitor')
    assert.equal(metadata.namespace, 'logging')
    assert.deepEqual(spec, {
      selector: { matchExpressions: [{ key: 'serving.kserve.io/inferenceservice', operator: 'Exists' }] },
      namespaceSelector: { any: true },
      podTargetLabels: ['serving.kserve.io/inferenceservice', 'component', 'serving.knative.dev/revision'],
      podMetricsEndpoints: [{ port: 'il-metrics', path: '/metrics' }]
    })
  })

  test('or there is one in each namespace, for a Prometheus that looks into no other', async () => {
    const objects = await rendered('podMonitor.enabled=true', 'podMonitor.namespaces={fraud,pricing}')
    const monitors = objects.filter(({ kind }) => kind === 'PodMonitor')
    assert.deepEqual(
      monitors.map(({ metadata, spec }) => [metadata.namespace, spec?.['namespaceSelector']]),
      [
        ['fraud', undefined],
        ['pricing', undefined]
      ]
    )
  })

  test('monitors select what the chart makes', async () => {
    const objects = await rendered('podMonitor.enabled=true', 'serviceMonitor.enabled=true', '../gateway.enabled=true')
    const matchLabels = (object: Rendered): Record<string, string> =>
      (object.spec as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels
    const gateway = objectOf(objects, 'Deployment', '-gateway')
    const { template } = gateway.spec as unknown as {
      template: { metadata: { labels: object }; spec: { containers: { ports: { name: string }[] }[] } }
    }
    assert.deepEqual(
      { ...template.metadata.labels, ...matchLabels(objectOf(objects, 'PodMonitor', '-gateway')) },
      {
        ...template.metadata.labels
      }
    )
    assert.ok(template.spec.containers[0]?.ports.some(({ name }) => name === 'il-metrics'))
    const service = objectOf(objects, 'Service', '-webhook')
    const { labels = {} } = service.metadata
    assert.deepEqual({ ...labels, ...matchLabels(objectOf(objects, 'ServiceMonitor')) }, labels)
    assert.ok((service.spec?.['ports'] as { name: string }[]).some(({ name }) => name === 'metrics'))
  })

  async function rendered(...set: readonly string[]): Promise<Rendered[]> {
    const args = set.flatMap(each => ['--set', each.startsWith('../') ? each.slice(3) : `monitoring.${each}`])
    return helm().render('--values', ciFile('minimal'), ...args)
  }

  async function groupsWith(...set: readonly string[]): Promise<Group[]> {
    const { spec } = objectOf(await rendered(...set), 'PrometheusRule')
    return spec?.['groups'] as Group[]
  }
})

function alertsOf(groups: readonly Group[]): Rule[] {
  return groups.flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined))
}
