import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { packageRoot } from '../../cli/demo/package-root.ts'
import { readDashboard, readRules, rulesFile, type Panel } from '../support/prometheus/dashboard.ts'
import { promtool, withoutPrometheus } from '../support/prometheus/tools.ts'

const root = packageRoot()
const unitTests = join(root, 'test', 'chart', 'observability-alerts.yaml')
const alerts = readRules().flatMap(rule => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]))
const dashboard = readDashboard()
const panels = dashboard.panels.filter(({ type }) => type !== 'row')

describe('the alerts', () => {
  test('are valid for promtool', { skip: withoutPrometheus }, async () => {
    const { code, output } = await promtool('check', 'rules', rulesFile())
    assert.equal(code, 0, output)
  })

  test('fire and are silent as their unit tests say', { skip: withoutPrometheus }, async () => {
    const { code, output } = await promtool('test', 'rules', unitTests)
    assert.equal(code, 0, output)
  })

  const cases = (
    parse(readFileSync(unitTests, 'utf8')) as {
      tests: { input_series: unknown[]; alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
    }
  ).tests

  for (const { alert, annotations, labels } of alerts) {
    test(`${alert} has a unit test in which it fires, and one in which something does not`, () => {
      const own = cases.filter(({ alert_rule_test }) => alert_rule_test.some(({ alertname }) => alertname === alert))
      const expectations = own.flatMap(each => each.alert_rule_test).filter(({ alertname }) => alertname === alert)
      assert.ok(
        expectations.some(({ exp_alerts }) => exp_alerts.length > 0),
        'no test in which it fires'
      )
      const quiet = own.some(
        ({ input_series, alert_rule_test }) =>
          alert_rule_test.some(({ alertname, exp_alerts }) => alertname === alert && exp_alerts.length === 0) ||
          alert_rule_test.every(({ exp_alerts }) => exp_alerts.length < input_series.length)
      )
      assert.ok(quiet, 'no test in which it is silent')
    })

    test(`${alert} says what is wrong, how bad it is, and where to read on`, () => {
      const { summary = '', description = '', runbook } = annotations
      assert.ok(['critical', 'warning'].includes(labels['severity'] ?? ''))
      assert.ok(summary.length > 0 && summary.length < 70, summary)
      // absent() has no value and no labels.
      if (alert !== 'InferenceLoggerWebhookDown') assert.match(description, /\{\{/)
      assert.equal(runbook, `docs/runbooks/${alert}.md`)
      const page = readFileSync(join(root, runbook), 'utf8')
      for (const heading of [`# ${alert}`, '## What it means', '## How to look', '## What to do']) {
        assert.ok(page.includes(`${heading}\n`), `${runbook} has no heading “${heading}”`)
      }
    })
  }

  test('are all in the overview, with their severity', () => {
    const overview = readFileSync(join(root, 'docs', 'observability.md'), 'utf8')
    const listed = [...overview.matchAll(/^\| \[(\w+)\]\(runbooks\/\1\.md\) \| (\w+) \|/gm)]
    assert.deepEqual(
      listed.map(([, alert, severity]) => `${alert} ${severity}`),
      alerts.map(({ alert, labels }) => `${alert} ${labels['severity']}`)
    )
  })

  test('have all the pages that there are', () => {
    const pages = readdirSync(join(root, 'docs', 'runbooks'))
    assert.deepEqual(pages.sort(), alerts.map(({ alert }) => `${alert}.md`).sort())
  })

  test('do not say where the pages are on the web: the chart knows', () => {
    assert.ok(alerts.every(({ annotations }) => annotations['runbook_url'] === undefined))
  })
})

describe('the dashboard', () => {
  test('needs no plugin', () => {
    assert.deepEqual([...new Set(dashboard.panels.map(({ type }) => type))].sort(), [
      'row',
      'stat',
      'table',
      'timeseries'
    ])
  })

  test('asks the data source that its variable names', () => {
    assert.deepEqual(
      dashboard.templating.list.map(({ name, type }) => `${name} ${type}`),
      ['datasource datasource', 'namespace query', 'inferenceservice query', 'pod query']
    )
    for (const { datasource, targets = [] } of panels) {
      assert.equal(datasource?.uid, '${datasource}')
      for (const target of targets) assert.equal(target.datasource.uid, '${datasource}')
    }
  })

  test('has the rows in the order of the questions', () => {
    assert.deepEqual(
      dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title),
      [
        'Is every inference reaching Kafka?',
        'Latency',
        'Journal: how full, and for how long',
        'Kafka: brokers and errors',
        'By InferenceService and namespace',
        'Resources',
        'Webhook: decisions by reason'
      ]
    )
  })

  test('explains every panel', () => {
    for (const { title, description = '' } of panels) assert.ok(description.length > 60, `${title}: ${description}`)
  })

  test('has every panel once, in a place of its own', () => {
    const { panels: all } = dashboard
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
    for (const [index, one] of all.entries()) {
      assert.ok(one.gridPos.x + one.gridPos.w <= 24, `${one.title} sticks out`)
      for (const other of all.slice(index + 1)) assert.ok(!overlap(one, other), `${one.title} and ${other.title}`)
    }
  })

  test('and what it refers to is in the repository', () => {
    for (const { description = '' } of panels) {
      for (const [path] of description.matchAll(/docs\/[\w-]+\.md/g)) assert.ok(existsSync(join(root, path)), path)
    }
  })
})

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
