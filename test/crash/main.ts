/**
 * `npm run test:crash` runs the tier. With `--minutes N` it kills sidecars at random for longer, and has Kafka fail as well;
 * with `--lives N` it does what the tier does, which is so many kills of each and no outage. `--seed S` gives the kills,
 * settings, loads and outages of an earlier run again (what they hit differs from run to run).
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KafkaCluster } from '../support/kafka/index.ts'
import { type CampaignOptions, runCampaign } from './campaign.ts'

/** Rounds are judged one by one: what went wrong is found soon, and near where it went wrong. */
const ROUND_MS = 60_000

const { values, positionals } = parseArgs({
  options: {
    minutes: { type: 'string' },
    lives: { type: 'string' },
    seed: { type: 'string' },
    victims: { type: 'string', default: '3' }
  },
  allowPositionals: true
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : count('seed', values.seed)
const victims = count('victims', values.victims)
if (values.lives !== undefined) {
  const lives = count('lives', values.lives)
  console.log(`--lives ${lives} --seed ${seed} --victims ${victims}`)
  await round({ seed, victims, lives })
} else if (values.minutes !== undefined || values.seed !== undefined) {
  const minutes = count('minutes', values.minutes ?? '1')
  console.log(`--minutes ${minutes} --seed ${seed} --victims ${victims}`)
  const until = performance.now() + minutes * 60_000
  for (let number = 0; performance.now() < until; number++) {
    await round({ seed: seed + number, victims, forMs: Math.min(ROUND_MS, until - performance.now()) })
  }
} else {
  const tier = [join(import.meta.dirname, '..', 'run.js'), 'crash', '--', ...positionals]
  spawn(process.execPath, tier, { stdio: 'inherit' }).on('exit', code => process.exit(code ?? 1))
}

async function round(options: Omit<CampaignOptions, 'kafka' | 'outages'>): Promise<void> {
  const kafka = await KafkaCluster.start()
  try {
    const result = await runCampaign({ ...options, kafka, ...(options.lives === undefined ? { outages: kafka } : {}) })
    console.log(`seed ${options.seed}: ${JSON.stringify(result)}`)
  } finally {
    await kafka.close()
  }
}

function count(name: string, text: string): number {
  const number = Number(text)
  if (text !== '' && Number.isFinite(number) && number >= 0) return number
  console.error(`--${name} takes a number, not ${text}`)
  process.exit(2)
}
