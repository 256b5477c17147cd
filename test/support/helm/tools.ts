import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const helmVersion = '3.22.0'
/** Of which a Helm without a cluster believes that it is one, unless it is told otherwise. */
const kubernetesMinor = '34'
const goNeeded = { major: 1, minor: 26 }

/** What a plain `go install` leaves empty, and Helm's own Makefile sets. */
const variables = {
  'helm.sh/helm/v3/internal/version.version': `v${helmVersion}`,
  'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': '1',
  'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': kubernetesMinor,
  'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': '1',
  'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': kubernetesMinor
}

/** Programs that the chart's tests run, as Go packages. */
const programs = {
  helm: { package: `helm.sh/helm/v3/cmd/helm@v${helmVersion}`, folder: `helm-${helmVersion}` },
  'helm-docs': { package: 'github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2', folder: 'helm-docs-1.14.2' }
} as const

/** A program that the chart's tests run. */
export type HelmProgram = keyof typeof programs

/** For the `timeout` of a `before` that may have to build. */
export const helmBuildTimeoutMs = 10 * 60_000

/**
 * What this machine lacks to get these programs; empty when they are there or can be built. Synchronous, because a test's
 * `skip` option must be known when the test is declared.
 */
export function missingHelmTools(needed: readonly HelmProgram[] = ['helm']): string[] {
  return needed.every(name => existsSync(pathOf(name))) ? [] : missingGo()
}

/** What this machine lacks to read Go modules. */
function missingGo(): string[] {
  const { major, minor } = goNeeded
  let version: string
  try {
    version = execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return [`Go ${major}.${minor} or later`]
  }
  const found = /go(\d+)\.(\d+)/.exec(version)
  const enough = Number(found?.[1]) > major || (Number(found?.[1]) === major && Number(found?.[2]) >= minor)
  return enough ? [] : [`Go ${major}.${minor} or later, found ${version}`]
}

/** For a suite's `skip`: why there can be no Helm on this machine, or false. With CI=true nothing is skipped, and fails. */
export function withoutHelmTools(needed: readonly HelmProgram[] = ['helm']): string | false {
  if (process.env['CI'] === 'true') return false
  const missing = missingHelmTools(needed)
  return missing.length > 0 && `needs ${missing.join(', ')}`
}

/** The same for what is built from, or read in, a Go module. */
export function withoutGo(): string | false {
  if (process.env['CI'] === 'true') return false
  const missing = missingGo()
  return missing.length > 0 && `needs ${missing.join(', ')}`
}

/** Path of a program: from the cache, or built now from its Go module, which takes a minute or two. */
export async function helmTool(name: HelmProgram): Promise<string> {
  const path = pathOf(name)
  if (existsSync(path)) return path
  const missing = missingHelmTools([name])
  if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`)
  await mkdir(cache(), { recursive: true })
  const folder = await mkdtemp(join(cache(), `${name}.tmp-`))
  try {
    const flags = ['-s', '-w', ...Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`)]
    await go(['install', '-trimpath', `-ldflags=${flags.join(' ')}`, programs[name].package], { GOBIN: folder })
    await mkdir(join(cache(), programs[name].folder), { recursive: true })
    await rename(join(folder, name), path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return path
}

const operatorVersion = '0.85.0'
const operatorModule = 'github.com/prometheus-operator/prometheus-operator'

/** The Go module of Prometheus' operator, with its version. */
export const prometheusOperatorModule = `${operatorModule}@v${operatorVersion}`

/**
 * Path of Prometheus' operator: from the cache, or built now as a dependency of a module of its own, since `go install`
 * takes none whose go.mod has replacements. The first build takes some three minutes on two cores.
 */
export async function prometheusOperator(): Promise<string> {
  const path = join(cache(), `prometheus-operator-${operatorVersion}`, 'operator')
  if (existsSync(path)) return path
  const missing = missingGo()
  if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`)
  await mkdir(dirname(path), { recursive: true })
  const folder = await mkdtemp(`${dirname(path)}.tmp-`)
  try {
    const modules = [operatorModule, `${operatorModule}/pkg/apis/monitoring`, `${operatorModule}/pkg/client`]
    const lines = ['module inference-logger.io/test/operator', `go ${goNeeded.major}.${goNeeded.minor - 1}.0`]
    const required = modules.map(module => `require ${module} v${operatorVersion}`)
    writeFileSync(join(folder, 'go.mod'), [...lines, ...required, ''].join('\n'))
    const program = `${operatorModule}/cmd/operator`
    writeFileSync(join(folder, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${program}"\n`)
    await go(['mod', 'tidy'], {}, folder)
    await go(['build', '-buildvcs=false', '-ldflags=-s -w', '-o', join(folder, 'operator'), program], {}, folder)
    await rename(join(folder, 'operator'), path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return path
}

/**
 * The text of YAML files of a Go module.
 * @param module `github.com/…@v1.2.3`
 */
export async function yamlOfModule(module: string, paths: readonly string[]): Promise<string> {
  const { Dir } = JSON.parse(await go(['mod', 'download', '-json', module], {})) as { Dir: string }
  return paths.map(path => readFileSync(join(Dir, path), 'utf8')).join('\n---\n')
}

function pathOf(name: HelmProgram): string {
  return join(cache(), programs[name].folder, name)
}

function cache(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'inference-logger')
}

async function go(args: readonly string[], env: Readonly<Record<string, string>>, cwd = homedir()): Promise<string> {
  try {
    // Where the user's module is, and how it is built, is none of this one's business.
    const inherited = { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=mod' }
    return (await run('go', args, { cwd, env: { ...inherited, ...env }, maxBuffer: 64 * 1024 * 1024 })).stdout
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
    throw new Error(`go ${args[0]} failed: ${`${stdout}\n${stderr}`.trim().slice(-4000)}`, { cause: error })
  }
}
