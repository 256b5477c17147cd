/**
 * Fails when the dashboard, the alerts, their runbooks or the documentation name a metric that no code has, or the code has
 * one that neither the dashboard nor docs/metrics.md nor docs/webhook.md names: `node dist/scripts/check-metric-names.js`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { metricsInCode, namingProblems, type NamingFile } from './metric-names.ts'

const files = join('charts', 'inference-logger', 'files')
const dashboards = filesIn(join(files, 'dashboards'), '.json')
const documentation = [...filesIn('docs', '.md'), readNaming('README.md')]

const problems = namingProblems({
  code: await metricsInCode(),
  files: [...dashboards, ...filesIn(join(files, 'rules'), '.yaml'), ...documentation],
  complete: [...dashboards, readNaming(join('docs', 'metrics.md')), readNaming(join('docs', 'webhook.md'))]
})
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1

function filesIn(folder: string, ending: string): NamingFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith(ending))
    .sort()
    .map(path => readNaming(join(folder, path)))
}

function readNaming(path: string): NamingFile {
  return { path, text: readFileSync(path, 'utf8') }
}
