import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { JournalInUseError } from '../../sidecar/journal/errors.ts'
import { lockDirectory } from '../../sidecar/journal/lock.ts'
import { directoryFor } from './open-journal.ts'

const LOCK_MODULE = new URL('../../sidecar/journal/lock.js', import.meta.url).href

/** Another process that owns the directory until it is killed. */
async function ownerOf(t: TestContext, directory: string): Promise<ChildProcess> {
  const program = `
    import { lockDirectory } from ${JSON.stringify(LOCK_MODULE)}
    lockDirectory(${JSON.stringify(directory)})
    console.log('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code })
}

test('a second process is told who owns the directory, and SIGKILL frees it', async t => {
  const directory = directoryFor(t)
  const owner = await ownerOf(t, directory)
  assert.throws(
    () => lockDirectory(directory),
    (error: Error) => {
      assert.ok(error instanceof JournalInUseError)
      assert.match(error.message, new RegExp(`pid ${owner.pid} on .+ since 20`))
      assert.ok(error.message.includes(directory))
      return true
    }
  )
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const unlock = lockDirectory(directory)
  assert.match(fs.readFileSync(join(directory, 'lock'), 'utf8'), new RegExp(`^pid ${process.pid} on `))
  unlock()
})

test('what was given up can be taken again', t => {
  const directory = directoryFor(t)
  lockDirectory(directory)()
  const unlock = lockDirectory(directory)
  assert.throws(() => lockDirectory(directory), JournalInUseError)
  unlock()
  lockDirectory(directory)()
})

// The attempt failed with the lock held: the process itself kept the journal from ever being opened again.
for (const call of ['writeSync', 'ftruncateSync'] as const) {
  test(`a full disk, where the owner cannot be noted (${call}), does not matter`, t => {
    const directory = directoryFor(t)
    t.mock.method(fs, call, () => {
      throw errorOf('ENOSPC')
    })
    const unlock = lockDirectory(directory)
    assert.throws(() => lockDirectory(directory), JournalInUseError)
    unlock()
    lockDirectory(directory)()
  })
}

test('a file system without locks is used without one; any other error is thrown, and keeps nothing', t => {
  const directory = directoryFor(t)
  const fsExt = createRequire(import.meta.url)('fs-ext') as { flockSync: () => void }
  let code = 'ENOTSUP'
  const flock = t.mock.method(fsExt, 'flockSync', () => {
    throw errorOf(code)
  })
  lockDirectory(directory)()
  code = 'EIO'
  const open = fs.readdirSync('/proc/self/fd').length
  assert.throws(() => lockDirectory(directory), { code: 'EIO' })
  assert.equal(fs.readdirSync('/proc/self/fd').length, open)
  flock.mock.restore()
  lockDirectory(directory)()
})
