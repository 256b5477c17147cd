import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ControlPlane, eventually, skipWithoutKubernetes } from '../support/kubernetes/index.ts'

describe('the control plane of the tests', { skip: await skipWithoutKubernetes() }, () => {
  test('ends with the process that started it, also when that is killed', { timeout: 60_000 }, async t => {
    const module = pathToFileURL(join(import.meta.dirname, '..', 'support', 'kubernetes', 'index.js')).href
    const script = `
      const { ControlPlane } = await import('${module}')
      const { processes } = await ControlPlane.start()
      console.log(JSON.stringify({ folder: processes.folder, pids: processes.pids }))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { folder, pids } = JSON.parse(line.toString()) as { folder: string; pids: number[] }
    t.after(() => {
      for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    })
    assert.equal(pids.length, 3)
    assert.ok(pids.every(isRunning) && existsSync(folder))
    child.kill('SIGKILL')
    await once(child, 'close')
    await eventually('nothing is left', () => !pids.some(isRunning) && !existsSync(folder))
  })

  test('says why a program does not start, and leaves nothing', { timeout: 60_000 }, async t => {
    // Others may start one at this moment.
    const folder = mkdtempSync(join(tmpdir(), 'inference-logger-'))
    t.after(() => rmSync(folder, { recursive: true }))
    process.env['TMPDIR'] = folder
    t.after(() => delete process.env['TMPDIR'])
    await assert.rejects(
      ControlPlane.start({ apiServer: { 'no-such-flag': 'x' } }),
      /kube-apiserver ended while starting:\n[^]*unknown flag: --no-such-flag/
    )
    assert.deepEqual(readdirSync(folder), [])
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
