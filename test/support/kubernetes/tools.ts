import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type * as FsExt from 'fs-ext'

const run = promisify(execFile)

/** What is built; with KUBEBUILDER_ASSETS, what lacks there. */
export const kubernetesVersion = '1.34.4'
const etcdVersion = '3.6.4'
const goNeeded = { major: 1, minor: 24 }

/** The Go packages of the programs, in the order in which a cold build is quickest to show that it works. */
const programs = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  kubelet: 'k8s.io/kubernetes/cmd/kubelet'
} as const

/** A program of Kubernetes that the tests run. */
export type KubernetesProgram = keyof typeof programs

/** What a cluster without nodes needs. */
export const controlPlanePrograms = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const

/** Go's package cache is empty, the disk is slow: for the `timeout` of a `before` that may have to build. */
export const buildTimeoutMs = 40 * 60_000

/**
 * What this machine lacks to get these programs, each with what to install; empty when all are there or can be built.
 * Synchronous, because a test's `skip` option must be known when the test is declared.
 */
export function missingKubernetesTools(needed: readonly KubernetesProgram[] = controlPlanePrograms): string[] {
  if (process.platform === 'win32') return ['Linux or macOS']
  if (needed.every(name => find(name) !== undefined)) return []
  const go = output('go', 'env', 'GOVERSION')
  const wanted = `Go ${goNeeded.major}.${goNeeded.minor} or later`
  if (go === undefined) return [`${wanted} (or KUBEBUILDER_ASSETS, a folder with ${needed.join(', ')})`]
  const [, major = '0', minor = '0'] = /go(\d+)\.(\d+)/.exec(go) ?? []
  const enough = Number(major) > goNeeded.major || Number(minor) >= goNeeded.minor
  return enough ? [] : [`${wanted}, found ${go}`]
}

/**
 * For a suite's `skip`: why there can be no Kubernetes on this machine, or false. With CI=true nothing is skipped, and
 * {@link kubernetesTools} fails.
 */
export function withoutKubernetesTools(needed: readonly KubernetesProgram[] = controlPlanePrograms): string | false {
  if (process.env['CI'] === 'true') return false
  const missing = missingKubernetesTools(needed)
  return missing.length > 0 && `needs ${missing.join(', ')}`
}

/**
 * The same, for a file that awaits it before its suites are declared: what has to be built is built then, which no
 * suite's timeout should count.
 */
export async function skipWithoutKubernetes(
  needed: readonly KubernetesProgram[] = controlPlanePrograms
): Promise<string | false> {
  const reason = withoutKubernetesTools(needed)
  if (reason === false) await kubernetesTools(needed)
  return reason
}

/**
 * Paths of Kubernetes' programs: from the folder KUBEBUILDER_ASSETS, or from the cache, or built now from their Go
 * modules. The first build takes some eight minutes on two cores; what is built stays in the cache. Rejects with what to
 * install, or with what Go said.
 */
export async function kubernetesTools<Name extends KubernetesProgram>(
  needed: readonly Name[]
): Promise<Record<Name, string>> {
  const missing = missingKubernetesTools(needed)
  if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`)
  if (needed.some(name => find(name) === undefined)) {
    await locked(() => build(needed.filter(name => find(name) === undefined)))
  }
  return Object.fromEntries(needed.map(name => [name, find(name)])) as Record<Name, string>
}

function find(name: KubernetesProgram): string | undefined {
  const assets = process.env['KUBEBUILDER_ASSETS'] || undefined
  return [...(assets === undefined ? [] : [join(assets, name)]), join(cache(), name)].find(path => existsSync(path))
}

function cache(): string {
  const folder = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return join(folder, 'inference-logger', `kubernetes-${kubernetesVersion}`)
}

/** Runs one at a time, over all processes of this machine; the kernel takes the lock back from one that was killed. */
async function locked(work: () => Promise<void>): Promise<void> {
  const { flock } = createRequire(import.meta.url)('fs-ext') as typeof FsExt
  await mkdir(cache(), { recursive: true })
  const file = await open(join(cache(), '.lock'), 'w')
  try {
    await promisify<number, 'ex', void>(flock)(file.fd, 'ex')
    await work()
  } finally {
    await file.close()
  }
}

/** Only with the lock: a name in the cache is a whole program, since it is renamed to that when it is built. */
async function build(names: readonly KubernetesProgram[]): Promise<void> {
  for (const entry of readdirSync(cache())) {
    if (entry.startsWith(temporary)) await rm(join(cache(), entry), { recursive: true, force: true })
  }
  const folder = await mkdtemp(join(cache(), temporary))
  try {
    await writeModule(folder)
    for (const name of names) {
      if (find(name) !== undefined) continue
      console.error(`building ${name}: minutes the first time, kept in ${cache()}`)
      await go(folder, 'build', '-ldflags', linkerFlags(name), '-o', join(folder, name), programs[name])
      await rename(join(folder, name), join(cache(), name))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const temporary = 'build-'

/**
 * A module of which the programs are dependencies: `go install` takes none whose go.mod has replacements, as that of
 * Kubernetes has for the modules that it publishes by themselves. They are the ones of the same release.
 */
async function writeModule(folder: string): Promise<void> {
  const kubernetes = `k8s.io/kubernetes@v${kubernetesVersion}`
  const { GoMod } = JSON.parse(await go(folder, 'mod', 'download', '-json', kubernetes)) as { GoMod: string }
  const staged = new Set([...(await readFile(GoMod, 'utf8')).matchAll(/(\S+) => \.\/staging/g)].map(([, name]) => name))
  const lines = [
    'module inference-logger.io/test/kubernetes',
    `go ${goNeeded.major}.${goNeeded.minor}.0`,
    `require k8s.io/kubernetes v${kubernetesVersion}`,
    `require go.etcd.io/etcd/server/v3 v${etcdVersion}`,
    ...[...staged].map(name => `replace ${name} => ${name} v0${kubernetesVersion.slice(1)}`)
  ]
  await writeFile(join(folder, 'go.mod'), lines.map(line => `${line}\n`).join(''))
  const imports = Object.values(programs).map(path => `import _ "${path}"\n`)
  await writeFile(join(folder, 'tools.go'), `//go:build tools\n\npackage tools\n\n${imports.join('')}`)
  await go(folder, 'mod', 'tidy')
}

/** No symbols, which halves the programs; and the version, without which an API server says that it is 0.0. */
function linkerFlags(name: KubernetesProgram): string {
  if (name === 'etcd') return '-s -w'
  const [major, minor] = kubernetesVersion.split('.')
  const version = { gitVersion: `v${kubernetesVersion}`, gitMajor: major, gitMinor: minor }
  const set = Object.entries(version).map(([field, value]) => `-X k8s.io/component-base/version.${field}=${value}`)
  return ['-s', '-w', ...set].join(' ')
}

async function go(cwd: string, ...args: string[]): Promise<string> {
  try {
    // Where the user's module is, and how it is built, is none of this one's business.
    const env = { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=mod -buildvcs=false' }
    return (await run('go', args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })).stdout
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
    const said = `${stdout}\n${stderr}`.trim().slice(-4000)
    throw new Error(`go ${args.slice(0, 2).join(' ')} failed: ${said}`, { cause: error })
  }
}

function output(command: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
