/**
 * Runs the tests: `node dist/test/run.js [tier...] [-- arguments of node --test]`; without a tier, all of them. A tier
 * whose tools are missing is skipped by name, or is a failure where CI=true.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { tiers, type Tier } from './tiers.ts'

const root = import.meta.dirname

const [wanted, passedOn] = splitArguments(process.argv.slice(2))
const unknown = wanted.filter(name => !tiers.some(tier => tier.name === name))
if (unknown.length > 0) {
  console.error(`no such tier: ${unknown.join(', ')}; there are ${tiers.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const chosen = tiers.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const unavailable = chosen.flatMap(tier => {
  const missing = tier.missing()
  return missing === undefined ? [] : [{ name: tier.name, missing }]
})
const files = chosen
  .filter(({ name }) => !unavailable.some(one => one.name === name))
  .flatMap(filesOf)
  .concat(join(root, 'availability.test.js'))

const child = spawn(
  process.execPath,
  // Two at a time: tests of the same tier share the machine's two cores with the servers that they start.
  ['--enable-source-maps', '--test', '--test-concurrency=2', '--test-reporter=spec', ...passedOn, ...files],
  { stdio: 'inherit', env: { ...process.env, UNAVAILABLE_TIERS: JSON.stringify(unavailable) } }
)
child.on('exit', code => process.exit(code ?? 1))

function splitArguments(args: readonly string[]): [string[], string[]] {
  const dashes = args.indexOf('--')
  return dashes === -1 ? [[...args], []] : [args.slice(0, dashes), args.slice(dashes + 1)]
}

function filesOf(tier: Tier): string[] {
  const named = tiers.flatMap(({ folders }) => folders)
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.test.js') && path !== 'availability.test.js')
    .filter(path => {
      const folder = relative('.', path).split(sep)[0] ?? ''
      return tier.name === 'fast' ? !named.includes(folder) : tier.folders.includes(folder)
    })
    .sort()
    .map(path => join(root, path))
}
