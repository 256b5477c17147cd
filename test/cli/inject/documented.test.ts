import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../../metrics/running-sidecar.ts'

const PAGE = resolve('docs/inject.md')
const MAIN = fileURLToPath(new URL('../../../cli/main.js', import.meta.url))

/** What the cluster of the page answers to `kubectl get pod`. */
const POD = `apiVersion: v1
kind: Pod
metadata:
  name: churn-predictor-7f9d4
  namespace: models
  labels: {serving.kserve.io/inferenceservice: churn}
spec:
  hostNetwork: true
  containers:
  - name: kserve-container
    image: example/churn:1
  - name: agent
    image: kserve/agent:v0.20.0
    args: [--log-url, "http://broker.models.svc"]
`

/** Everything between fences, with what the fence says and a comment above it names. */
const BLOCK = /(?:<!-- file: (?<file>\S+) -->\n\n)?^```(?<language>\w*)\n(?<text>[^]*?)^```$/gm

test('docs/inject.md shows what its commands print', t => {
  const page = readFileSync(PAGE, 'utf8')
  const folder = temporaryFolder(t)
  const program = (name: string, script: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  program('inference-logger', `exec '${process.execPath}' '${MAIN}' "$@"`)
  program('kubectl', `cat <<'END'\n${POD}END`)
  const env = { PATH: `${folder}:${process.env['PATH']}` }
  let commands = 0
  const run = (command: string): string => {
    commands++
    const { stdout } = spawnSync('sh', ['-c', `exec 2>&1\n${command}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 20_000
    })
    return `$ ${command}\n${stdout}`
  }
  const real = page.replaceAll(BLOCK, (block: string, ...rest: unknown[]) => {
    const { file, language, text = '' } = rest.at(-1) as Record<string, string | undefined>
    if (file !== undefined) writeFileSync(join(folder, file), text)
    if (language !== 'console') return block
    const lines = text.split('\n').filter(line => line.startsWith('$ '))
    return `\`\`\`console\n${lines.map(line => run(line.slice(2))).join('')}\`\`\``
  })
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PAGE, real)
  assert.equal(real, readFileSync(PAGE, 'utf8'))
  assert.equal(commands, 6)
})
