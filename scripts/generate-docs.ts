/**
 * Writes the generated tables into docs/: `npm run docs`; with `--check` it only tells whether they are stale. The text
 * around the tables is written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { annotationsTable } from './tables/annotations.ts'
import { metricsTable } from './tables/metrics.ts'
import { reasonsTable } from './tables/reasons.ts'
import { rejectionsTable } from './tables/rejections.ts'
import { settingsTable } from './tables/settings.ts'
import { webhookMetricsTable } from './tables/webhook-metrics.ts'
import { webhookSettingsTable } from './tables/webhook-settings.ts'

const tables: readonly { file: string; name: string; make: () => Promise<string> }[] = [
  { file: 'configuration.md', name: 'settings', make: () => Promise.resolve(settingsTable()) },
  { file: 'receiving.md', name: 'rejections', make: () => Promise.resolve(rejectionsTable()) },
  { file: 'metrics.md', name: 'metrics', make: metricsTable },
  { file: 'annotations.md', name: 'annotations', make: () => Promise.resolve(annotationsTable()) },
  { file: 'webhook-settings.md', name: 'webhook-settings', make: () => Promise.resolve(webhookSettingsTable()) },
  { file: 'webhook.md', name: 'reasons', make: () => Promise.resolve(reasonsTable()) },
  { file: 'webhook.md', name: 'webhook-metrics', make: webhookMetricsTable }
]

const check = process.argv.includes('--check')
let stale = false
for (const { file, name, make } of tables) {
  const path = join('docs', file)
  const text = readFileSync(path, 'utf8')
  const begin = `<!-- generated: ${name} (npm run docs) -->`
  const end = `<!-- end of generated: ${name} -->`
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from === -1 || to === -1) throw new Error(`${path} has no markers for the table ${name}`)
  const fresh = `${text.slice(0, from)}${begin}\n\n${await make()}\n\n${text.slice(to)}`
  if (fresh === text) continue
  stale = true
  if (check) console.error(`${path} is stale: run npm run docs and commit the result`)
  else writeFileSync(path, fresh)
}
if (check && stale) process.exitCode = 1
