import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockedFile } from '../../cli/dead-letters/locked-file.ts'
import { idOf } from '../../cli/dead-letters/selection.ts'
import { decodeLetter } from '../../sidecar/dead-letters/letter.ts'
import { tryLock } from '../../sidecar/dead-letters/lock.ts'
import { letterFiles, linesOf } from '../../sidecar/dead-letters/read.ts'
import { idsIn, Kept, storedEvent, temporaryFolder } from './letters.ts'
import { folderWith, replay } from './replaying.ts'

test('a file in the hands of another replay is left out, and counts as not sent', async t => {
  const folder = await folderWith(t, ['1'])
  const other = await LockedFile.open(folder, (await letterFiles(folder))[0] ?? '')
  const { result, printed } = await replay(folder)
  assert.deepEqual(result, { delivered: 0, refused: 0, unsent: 1, unremoved: 0 })
  assert.match(printed, /is being written by another process/)
  await other?.close()
  assert.equal((await replay(folder)).result.delivered, 1)
})

test('a sidecar that keeps letters while they are replayed: each is delivered once and none is lost', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 400_000 })
  const ids = Array.from({ length: 150 }, (_, i) => String(i))
  let isWriting = true
  const writing = (async () => {
    for (const id of ids) {
      assert.equal(await kept.keep(storedEvent(id)), true)
      // Now and then the two meet within a write, now and then between two.
      if (Number(id) % 3 === 0) await sleep(Number(id) % 4)
    }
    isWriting = false
  })()
  const taken: string[] = []
  let rounds = 0
  while (isWriting) {
    taken.push(...(await replay(folder, { isMeant: letter => Number(idOf(letter)) % 5 !== 0 })).taken)
    rounds++
  }
  await writing
  taken.push(...(await replay(folder)).taken)
  assert.ok(rounds > 3, `${rounds} rounds`)
  assert.deepEqual(
    taken.sort((a, b) => Number(a) - Number(b)),
    ids
  )
  assert.deepEqual(fs.readdirSync(folder), [])
})

test('a sidecar goes on in a new file when a replay holds the one it wrote, and after a replay changed it', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('1'))
  const [first = ''] = await letterFiles(folder)
  const file = await LockedFile.open(folder, first)
  assert.equal(file?.isTaken, false)
  await kept.keep(storedEvent('2'))
  assert.deepEqual([(await letterFiles(folder)).length, await idsIn(folder)], [2, ['1', '2']])
  await file?.replace([])
  await file?.close()
  assert.deepEqual(await idsIn(folder), ['2'])
  await kept.keep(storedEvent('3'))
  assert.equal((await letterFiles(folder)).length, 1, 'its own file is as it left it')
  const [own = ''] = await letterFiles(folder)
  const changed = await LockedFile.open(folder, own)
  const [, third] = [...linesOf(changed?.content ?? Buffer.alloc(0))]
  await changed?.replace([third?.bytes ?? Buffer.alloc(0)])
  await changed?.close()
  await kept.keep(storedEvent('4'))
  assert.deepEqual(await idsIn(folder), ['3', '4'])
  for (const name of await letterFiles(folder)) {
    for (const { bytes } of linesOf(fs.readFileSync(join(folder, name))))
      assert.equal(typeof decodeLetter(bytes), 'object')
  }
})

/** Does something to a file right after it was opened, once. */
function afterOpening(t: TestContext, path: string, flags: 'r' | 'r+', act: () => void): void {
  const open = fs.open.bind(fs) as (...args: unknown[]) => void
  let isDone = false
  t.mock.method(fs, 'open', ((...args: [string, string, number, (error: Error | null, fd: number) => void]) => {
    const [opened, openedWith, mode, done] = args
    open(opened, openedWith, mode, (error: Error | null, fd: number) => {
      if (!isDone && (path === '' || opened === path) && openedWith === flags) {
        isDone = true
        act()
      }
      done(error, fd)
    })
  }) as unknown as typeof fs.open)
}

test('a file that was replaced between being opened and being locked is not written to', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('1'))
  const path = join(folder, (await letterFiles(folder))[0] ?? '')
  let replaced = false
  afterOpening(t, path, 'r+', () => {
    // The same size, so that nothing but the identity tells the two apart.
    fs.copyFileSync(path, `${path}.tmp`)
    fs.renameSync(`${path}.tmp`, path)
    replaced = true
  })
  assert.equal(await kept.keep(storedEvent('2')), true)
  assert.ok(replaced)
  assert.deepEqual(await idsIn(folder), ['1', '2'])
})

test('nor is it replayed: another replay has taken out of it what it delivered', async t => {
  const folder = await folderWith(t, ['1'])
  const name = (await letterFiles(folder))[0] ?? ''
  const path = join(folder, name)
  afterOpening(t, path, 'r', () => {
    fs.writeFileSync(`${path}.tmp`, 'what is left\n')
    fs.renameSync(`${path}.tmp`, path)
  })
  const file = await LockedFile.open(folder, name)
  assert.equal(String(file?.content), 'what is left\n')
  await file?.close()
})

test('a new file that a replay gets hold of first is left to it', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  const held: number[] = []
  t.after(() => held.forEach(fd => fs.closeSync(fd)))
  afterOpening(t, '', 'r+', () => {
    const [name = ''] = fs.readdirSync(folder)
    const fd = fs.openSync(join(folder, name), 'r')
    assert.ok(tryLock(fd))
    held.push(fd)
  })
  assert.equal(await kept.keep(storedEvent('1')), true)
  assert.equal(held.length, 1)
  assert.deepEqual([(await letterFiles(folder)).length, await idsIn(folder)], [1, ['1']])
})

test('a file that a sidecar deletes to make room while it is replayed does not come back', async t => {
  const folder = await folderWith(t, ['1', '2'])
  const [name = ''] = await letterFiles(folder)
  const file = await LockedFile.open(folder, name)
  fs.unlinkSync(join(folder, name))
  await file?.replace([file.content])
  await file?.close()
  assert.equal(fs.existsSync(join(folder, name)), false)
})
