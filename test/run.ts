/**
 * Runs the tests: `node dist/test/run.js [tier...] [-- arguments of node --test]`; without a tier, all of them.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { tiers, type Tier } from './tiers.ts'

const root = import.meta.dirname

const [wanted, passedOn] = splitArguments(process.argv.slice(2))
const unknown = wanted.filter(name => !tiers.some(tier => tier.name === name))
if (unknown.length > 0) {
  console.error(`no such tier: ${unknown.join(', ')}; there are ${tiers.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const chosen = tiers.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
// Files of the fast tier share the two cores of a small machine; brokers that are killed and measured want it to themselves.
const concurrency = chosen.every(({ name }) => name === 'fast') ? 2 : 1
const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    ...passedOn,
    ...chosen.flatMap(filesOf)
  ],
  { stdio: 'inherit' }
)
child.on('exit', code => process.exit(code ?? 1))

function splitArguments(args: readonly string[]): [string[], string[]] {
  const dashes = args.indexOf('--')
  return dashes === -1 ? [[...args], []] : [args.slice(0, dashes), args.slice(dashes + 1)]
}

function filesOf(tier: Tier): string[] {
  const named = tiers.flatMap(({ folders }) => folders)
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.test.js'))
    .filter(path => {
      const folder = path.split(sep)[0] ?? ''
      return tier.name === 'fast' ? !named.includes(folder) : tier.folders.includes(folder)
    })
    .sort()
    .map(path => join(root, path))
}
