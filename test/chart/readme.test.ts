import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { chartFolder, helmBuildTimeoutMs, helmTool, withoutHelmTools } from '../support/helm/index.ts'

const update = process.env['UPDATE_GOLDEN'] === '1'

describe('The chart’s README', { skip: withoutHelmTools(['helm-docs']) }, () => {
  test('is what helm-docs makes of values.yaml', { timeout: helmBuildTimeoutMs }, async () => {
    const args = ['--chart-search-root', chartFolder(), '--sort-values-order', 'file', '--log-level', 'error']
    const helmDocs = await helmTool('helm-docs')
    if (update) await promisify(execFile)(helmDocs, args)
    const { stdout } = await promisify(execFile)(helmDocs, [...args, '--dry-run'])
    const readme = readFileSync(join(chartFolder(), 'README.md'), 'utf8')
    assert.equal(readme.trim(), stdout.trim(), 'UPDATE_GOLDEN=1 npm run test:chart writes it')
  })

  test('says something about each value that is no section', () => {
    const readme = readFileSync(join(chartFolder(), 'README.md'), 'utf8')
    const rows = readme.split('\n').filter(line => /^\| [a-z]/.test(line))
    assert.ok(rows.length > 100, `${rows.length} rows`)
    const silent = rows.filter(row => /\|\s*\|$/.test(row)).map(row => row.split('|')[1]?.trim())
    // Those whose names are Kubernetes' own and say it all.
    const plain =
      /(?:replicas|nodeSelector|tolerations|podAnnotations|podLabels|annotations|priorityClassName|terminationGracePeriodSeconds|serviceAnnotations|relabelings|metricRelabelings|enabled|minReplicas|maxReplicas|service\.(?:type|port)|scrapeTimeout|interval|labels|accessModes|whenScaled|duration|renewBefore)$/
    assert.deepEqual(
      silent.filter(name => !plain.test(name ?? '')),
      []
    )
  })
})
