import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

test('where node-rdkafka was not built, the command says what to do, and --help works', t => {
  const folder = mkdtempSync(join(tmpdir(), 'inference-logger-not-built-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const built = join(import.meta.dirname, '../..')
  for (const part of ['cli', 'sidecar']) cpSync(join(built, part), join(folder, 'dist', part), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"name":"inference-logger","version":"1.2.3","type":"module"}')
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'node-rdkafka'), { recursive: true })
  for (const name of ['commander', 'pino', 'prom-client', 'dot-properties', 'bindings', 'file-uri-to-path']) {
    symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name))
  }
  // What npm leaves when it did not run the install script: the package without its add-on.
  for (const part of ['lib', 'librdkafka.js', 'package.json', 'util']) {
    cpSync(join(process.cwd(), 'node_modules/node-rdkafka', part), join(modules, 'node-rdkafka', part), {
      recursive: true,
      force: true
    })
  }
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(folder, 'dist/cli/main.js'), ...args], { encoding: 'utf8', timeout: 20_000 })

  const sidecar = run('sidecar')
  assert.equal(sidecar.status, 1, sidecar.stderr)
  assert.match(sidecar.stderr, /^inference-logger: node-rdkafka is not built\. Run `npm rebuild node-rdkafka`[^\n]*\n$/)
  assert.equal(run('--version').stdout, '1.2.3\n')
  assert.match(run('--help').stdout, /sidecar/)
})
