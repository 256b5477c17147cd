import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { kubernetesVersion } from './tools.ts'
import { eventually } from './wait.ts'

// Says what it is asked, builds programs that are their own package's name, and stops while a file `hold` is there.
const fakeGo = `#!/bin/sh
cd "$(dirname "$0")"
case "$1 $2" in
  'env GOVERSION') cat version ;;
  'mod download') printf '{"GoMod": "%s/go.mod"}' "$PWD" ;;
  'mod tidy') ;;
  build*)
    while [ "$1" != -o ]; do shift; done
    echo "$3" >> built
    printf half > "$2"
    while [ -e hold ]; do sleep 0.05; done
    echo "$3" > "$2"
    chmod +x "$2" ;;
esac
`

describe('Kubernetes’ programs for the tests', () => {
  let folder: string
  let cache: string
  const children: ChildProcess[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'inference-logger-tools-'))
    cache = join(folder, 'cache', 'inference-logger', `kubernetes-${kubernetesVersion}`)
    writeFileSync(join(folder, 'go'), fakeGo, { mode: 0o755 })
    writeFileSync(join(folder, 'version'), 'go1.24.1\n')
    writeFileSync(join(folder, 'go.mod'), 'replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    }
    // A build whose parent was killed goes on.
    rmSync(join(folder, 'hold'), { force: true })
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  /** An expression with the module `tools`, in a process whose cache and programs are the folder's. */
  function start(expression: string, env: Record<string, string> = {}): ChildProcess {
    const module = pathToFileURL(join(import.meta.dirname, 'tools.js')).href
    const script = `const tools = await import('${module}'); console.log(JSON.stringify(await ${expression}))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: `${folder}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache'), ...env },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    children.push(child)
    return child
  }

  async function evaluate(expression: string, env: Record<string, string> = {}): Promise<unknown> {
    const { stdout } = start(expression, env)
    let text = ''
    for await (const chunk of stdout ?? []) text += String(chunk)
    return JSON.parse(text)
  }

  const get = `tools.kubernetesTools(['etcd', 'kubectl'])`

  test('are built once, also when two want them at the same time', async () => {
    const paths = { etcd: join(cache, 'etcd'), kubectl: join(cache, 'kubectl') }
    assert.deepEqual(await Promise.all([evaluate(get), evaluate(get)]), [paths, paths])
    assert.deepEqual(lines('built'), ['go.etcd.io/etcd/server/v3', 'k8s.io/kubernetes/cmd/kubectl'])
    assert.equal(readFileSync(paths.kubectl, 'utf8'), 'k8s.io/kubernetes/cmd/kubectl\n')
    assert.deepEqual(readdirSync(cache).sort(), ['.lock', 'etcd', 'kubectl'])
  })

  test('are whole or not there when a build is killed, and the next one begins anew', async () => {
    writeFileSync(join(folder, 'hold'), '')
    const interrupted = start(get)
    await eventually('the build', () => existsSync(join(folder, 'built')))
    interrupted.kill('SIGKILL')
    await once(interrupted, 'close')
    assert.ok(!existsSync(join(cache, 'etcd')))
    rmSync(join(folder, 'hold'))
    await evaluate(get)
    assert.equal(readFileSync(join(cache, 'etcd'), 'utf8'), 'go.etcd.io/etcd/server/v3\n')
    assert.deepEqual(readdirSync(cache).sort(), ['.lock', 'etcd', 'kubectl'])
  })

  test('come from KUBEBUILDER_ASSETS, and only what lacks there is built', async () => {
    const assets = join(folder, 'assets')
    mkdirSync(assets)
    writeFileSync(join(assets, 'etcd'), '')
    assert.deepEqual(await evaluate(get, { KUBEBUILDER_ASSETS: assets }), {
      etcd: join(assets, 'etcd'),
      kubectl: join(cache, 'kubectl')
    })
    assert.deepEqual(lines('built'), ['k8s.io/kubernetes/cmd/kubectl'])
  })

  test('without Go, tests are skipped by what to install, and fail with CI=true', async () => {
    rmSync(join(folder, 'go'))
    const without = `tools.withoutKubernetesTools(['etcd'])`
    const env = { PATH: '/nowhere' }
    assert.equal(await evaluate(without, env), 'needs Go 1.24 or later (or KUBEBUILDER_ASSETS, a folder with etcd)')
    assert.equal(await evaluate(without, { ...env, CI: 'true' }), false)
    assert.match(
      String(await evaluate(`${get}.catch(error => error.message)`, { ...env, CI: 'true' })),
      /needs Go 1\.24/
    )
  })

  test('need a Go that is new enough, unless they are there', async () => {
    writeFileSync(join(folder, 'version'), 'go1.19.8\n')
    assert.deepEqual(await evaluate(`tools.missingKubernetesTools(['etcd'])`), ['Go 1.24 or later, found go1.19.8'])
    mkdirSync(cache, { recursive: true })
    writeFileSync(join(cache, 'etcd'), '')
    assert.deepEqual(await evaluate(`tools.missingKubernetesTools(['etcd'])`), [])
  })

  function lines(name: string): string[] {
    return readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
  }
})
