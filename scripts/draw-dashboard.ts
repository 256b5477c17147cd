/**
 * Draws the chart's dashboard into docs/images/dashboard.svg, from what a real Prometheus answers to its queries while real
 * loggers, a webhook and a real Kafka play a story: `npm run dashboard -- [--minutes 12] [--save FILE] [--from FILE]`.
 * `--save` keeps the answers, `--from` draws saved ones again. Needs what the tiers `chart` and `kafka` need.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { missingKafkaTools } from '../test/support/kafka/index.ts'
import { readDashboard } from '../test/support/prometheus/dashboard.ts'
import { missingPrometheusTools } from '../test/support/prometheus/tools.ts'
import { ask, type Answers } from './drawing/answers.ts'
import { drawPage } from './drawing/page.ts'
import { play, story } from './drawing/scenario.ts'

const SCRAPE_MS = 2000
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '12' }, save: { type: 'string' }, from: { type: 'string' } }
})

const dashboard = readDashboard()
const answers = values.from === undefined ? await played() : (JSON.parse(readFileSync(values.from, 'utf8')) as Answers)
if (values.save !== undefined) writeFileSync(values.save, JSON.stringify(answers))
const minutes = Math.round((answers.to - answers.from) / 60_000)
const captions = [
  `Drawn by scripts/draw-dashboard.ts from the answers of a real Prometheus: not a screenshot of Grafana. ${minutes} minutes, scraped every ${answers.scrapeIntervalMs / 1000} s.`,
  story
]
const image = join('docs', 'images', 'dashboard.svg')
writeFileSync(image, drawPage(dashboard, answers, captions))
console.log(image)

async function played(): Promise<Answers> {
  const missing = [...missingPrometheusTools(), ...missingKafkaTools()]
  if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`)
  const { stage, close } = await play(Number(values.minutes) * 60, SCRAPE_MS)
  try {
    return await ask(stage.prometheus, dashboard, {
      from: stage.startedAt,
      to: new Date(),
      scrapeIntervalMs: SCRAPE_MS
    })
  } finally {
    await close()
  }
}
