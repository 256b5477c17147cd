import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { packageRoot } from '../../cli/demo/package-root.ts'
import { metricsInCode, namingProblems } from '../../scripts/metric-names.ts'

const code = new Map([
  ['inference_logger_a_total', 'counter'],
  ['inference_logger_b_seconds', 'histogram'],
  ['process_c', 'gauge']
])
const docs = { path: 'docs/metrics.md', text: '`inference_logger_a_total`, `inference_logger_b_seconds`' }

describe('the check of metric names', () => {
  test('finds nothing wrong with this repository', async () => {
    const script = join(packageRoot(), 'dist', 'scripts', 'check-metric-names.js')
    await promisify(execFile)(process.execPath, [script], { cwd: packageRoot() })
  })

  test('takes a histogram’s series, and metrics of other programs', () => {
    const text = 'rate(inference_logger_b_seconds_bucket[5m]) / process_c and kube_pod_container_info'
    assert.deepEqual(namingProblems({ code, files: [docs, { path: 'rules', text }], complete: [docs] }), [])
  })

  test('finds a name that no code has', () => {
    const rules = { path: 'rules', text: 'increase(inference_logger_a_totl[5m]) or kube_pod_contaner_info' }
    assert.deepEqual(namingProblems({ code, files: [rules], complete: [docs] }), [
      'rules names inference_logger_a_totl, which no code has',
      'rules names kube_pod_contaner_info, which no code has'
    ])
  })

  test('finds a series that the type does not have', () => {
    const rules = { path: 'rules', text: 'inference_logger_a_total_bucket' }
    assert.equal(namingProblems({ code, files: [rules], complete: [docs] }).length, 1)
  })

  test('finds a metric that nobody explains', () => {
    const more = new Map([...code, ['rdkafka_new', 'gauge']])
    const [problem = '', ...others] = namingProblems({ code: more, files: [docs], complete: [docs] })
    assert.match(problem, /^rdkafka_new is in the code, and neither/)
    assert.deepEqual(others, [])
  })

  test('finds a reason that there is not', () => {
    const text = 'inference_logger_requests_rejected_total{pod="a", reason=~"queue_full|jurnal_failed"}'
    const all = new Map([...code, ['inference_logger_requests_rejected_total', 'counter']])
    const problems = namingProblems({
      code: all,
      files: [{ path: 'rules', text }],
      complete: [docs, { path: '', text }]
    })
    assert.deepEqual(problems, ['rules asks for requests refused with the reason jurnal_failed, which there is not'])
  })

  test('reads the names from the registries', async () => {
    const names = await metricsInCode()
    assert.equal(names.get('inference_logger_ack_duration_seconds'), 'histogram')
    assert.equal(names.get('inference_logger_webhook_requests_total'), 'counter')
    assert.equal(names.get('process_cpu_seconds_total'), 'counter')
  })
})
