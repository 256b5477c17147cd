import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { letterFiles } from '../../sidecar/dead-letters/read.ts'
import { contentsOf, idsIn, Kept, storedEvent, temporaryFolder } from './letters.ts'

type Write = (
  fd: number,
  bytes: Buffer,
  offset: number,
  length: number,
  position: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void
) => void

/** Makes writes fail as long as `isBroken`, each after half of what was to be written. */
function breakWrites(t: TestContext, code: string, onFirst = (): void => {}): { isBroken: boolean; failures: number } {
  const state = { isBroken: true, failures: 0 }
  const write = fs.write.bind(fs) as Write
  t.mock.method(fs, 'write', ((fd, bytes, offset, length, position, done) => {
    if (!state.isBroken) return write(fd, bytes, offset, length, position, done)
    if (state.failures++ === 0) onFirst()
    write(fd, bytes, offset, length >> 1, position, () => done(Object.assign(new Error(code), { code }), 0))
  }) as Write)
  return state
}

function sizeOf(folder: string): number {
  return fs.readdirSync(folder).reduce((sum, name) => sum + fs.statSync(join(folder, name)).size, 0)
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    assert.ok(i < 500, `not within 5 s: ${what}`)
    await sleep(10)
  }
}

test('an event is kept when it is on the disk, and not said to be before', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  const order: string[] = []
  const fdatasync = fs.fdatasync.bind(fs)
  t.mock.method(fs, 'fdatasync', ((fd, done) =>
    fdatasync(fd, error => {
      order.push('synced')
      done(error)
    })) as typeof fs.fdatasync)
  assert.equal(await kept.keep(storedEvent('1', 'the body')).then(was => order.push('done') && was), true)
  assert.deepEqual(order, ['synced', 'done'])
  const [letter] = await contentsOf(folder)
  assert.ok(typeof letter === 'object')
  assert.equal(String(letter.event.data), 'the body')
  assert.deepEqual([letter.topic, letter.reason, letter.receivedAt], ['a-topic', 'record_too_large', 1_700_000_000_123])
  assert.deepEqual(kept.told.lines, [])
})

test('nothing is made before there is something to keep; then the folder, with its parents', async t => {
  const folder = join(temporaryFolder(t), 'a', 'b', 'dead-letters')
  const kept = new Kept(t, { folder })
  await sleep(20)
  assert.equal(fs.existsSync(join(folder, '..', '..')), false)
  assert.equal(kept.deadLetters.bytes, 0)
  await kept.keep(storedEvent('1'))
  assert.deepEqual(await idsIn(folder), ['1'])
  assert.equal(fs.statSync(join(folder, (await letterFiles(folder))[0] ?? '')).mode & 0o777, 0o600, 'it holds payloads')
})

test('many at once are written together, in order, and each is answered once', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  const syncs = t.mock.method(fs, 'fdatasync')
  const ids = Array.from({ length: 200 }, (_, i) => String(i))
  await Promise.all(ids.map(id => kept.keep(storedEvent(id))))
  assert.deepEqual(await idsIn(folder), ids)
  assert.deepEqual(
    kept.done,
    ids.map(id => [id, true])
  )
  assert.ok(syncs.mock.callCount() <= 3, `${syncs.mock.callCount()} fdatasyncs`)
  assert.equal(kept.deadLetters.bytes, sizeOf(folder))
})

test('files roll, so that room can be made by an eighth of the bound', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 80_000 })
  for (let i = 0; i < 30; i++) await kept.keep(storedEvent(String(i), 'x'.repeat(1500)))
  const sizes = (await letterFiles(folder)).map(name => fs.statSync(join(folder, name)).size)
  assert.ok(sizes.length > 5 && sizes.every(size => size > 5000 && size <= 10_000), sizes.join())
  assert.deepEqual(kept.told.lines, [])
})

test('beyond the bound the oldest go, are counted, and nothing else does', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 40_000 })
  const ids = Array.from({ length: 100 }, (_, i) => String(i))
  for (const id of ids) {
    await kept.keep(storedEvent(id, 'x'.repeat(1000)))
    assert.ok(sizeOf(folder) <= 40_000, `${sizeOf(folder)} bytes after ${id}`)
    assert.equal(kept.deadLetters.bytes, sizeOf(folder))
  }
  const left = await idsIn(folder)
  assert.deepEqual(left, ids.slice(-left.length))
  assert.ok(left.length > 15, `${left.length} are left`)
  const discarded = kept.told.lines.map(line => Number(/^discarded (\d+)$/.exec(line)?.[1]))
  assert.equal(
    discarded.reduce((sum, one) => sum + one, left.length),
    100
  )
})

test('the bound counts what an earlier run left, and that goes first', async t => {
  const folder = temporaryFolder(t)
  const before = new Kept(t, { folder, maxBytes: 40_000 })
  for (let i = 0; i < 15; i++) await before.keep(storedEvent(`old ${i}`, 'x'.repeat(1000)))
  await before.deadLetters.close()
  const after = new Kept(t, { folder, maxBytes: 40_000 })
  for (let i = 0; i < 12; i++) await after.keep(storedEvent(`new ${i}`, 'x'.repeat(1000)))
  const left = await idsIn(folder)
  assert.ok(sizeOf(folder) <= 40_000)
  assert.equal(left.filter(id => id.startsWith('new')).length, 12)
  assert.ok(left[0]?.startsWith('old'), 'no more than needed')
})

test('a letter larger than the bound is kept all the same, alone', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 5000 })
  await kept.keep(storedEvent('small'))
  await kept.keep(storedEvent('large', 'x'.repeat(20_000)))
  assert.deepEqual(await idsIn(folder), ['large'])
})

test('the oldest go first also when the clock was set back between two runs', async t => {
  const folder = temporaryFolder(t)
  const clock = { now: Date.parse('2030-01-01T00:00:00Z') }
  const before = new Kept(t, { folder, maxBytes: 40_000, now: () => clock.now })
  for (let i = 0; i < 10; i++) await before.keep(storedEvent(`old ${i}`, 'x'.repeat(1000)))
  await before.deadLetters.close()
  clock.now = Date.parse('2020-01-01T00:00:00Z')
  const after = new Kept(t, { folder, maxBytes: 40_000, now: () => clock.now })
  for (let i = 0; i < 12; i++) await after.keep(storedEvent(`new ${i}`, 'x'.repeat(1000)))
  const left = await idsIn(folder)
  assert.equal(left.filter(id => id.startsWith('new')).length, 12)
  assert.equal(left.indexOf('new 0'), left.findLastIndex(id => id.startsWith('old')) + 1)
  assert.ok(left[0]?.startsWith('old'))
})

test('a line that a crash tore is ignored, and nothing is joined to it', async t => {
  const folder = temporaryFolder(t)
  const before = new Kept(t, { folder })
  await before.keep(storedEvent('1'))
  await before.deadLetters.close()
  const [name = ''] = await letterFiles(folder)
  fs.appendFileSync(join(folder, name), '{"version":1,"time":"2026')
  const after = new Kept(t, { folder })
  await after.keep(storedEvent('2'))
  assert.deepEqual(await idsIn(folder), ['1', 'torn', '2'])
})

for (const code of ['ENOSPC', 'EROFS', 'EIO']) {
  test(`${code}: the event stays pending, is tried again, and is kept when the disk works again`, async t => {
    const folder = temporaryFolder(t)
    const kept = new Kept(t, { folder })
    await kept.keep(storedEvent('before'))
    const pending: Promise<boolean>[] = []
    const disk = breakWrites(t, code, () => pending.push(kept.keep(storedEvent('4'))))
    pending.push(...['1', '2', '3'].map(id => kept.keep(storedEvent(id))))
    await until('two attempts', () => disk.failures >= 2)
    assert.deepEqual(kept.done, [['before', true]])
    disk.isBroken = false
    assert.deepEqual(await Promise.all(pending), [true, true, true, true])
    assert.deepEqual(await idsIn(folder), ['before', '1', '2', '3', '4'], 'what was half written is gone')
    assert.equal((await letterFiles(folder)).length, 2, 'an attempt that failed leaves no file')
    assert.match(kept.told.lines[0] ?? '', new RegExp(`^failed ${code} 4 0$`))
    assert.equal(kept.deadLetters.bytes, sizeOf(folder))
  })
}

test('where what was half written cannot be cut off, the next letter goes into another file', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('before'))
  const disk = breakWrites(t, 'EIO')
  t.mock.method(fs, 'ftruncate', ((_fd: number, _length: number, done: (error: Error) => void) =>
    done(new Error('EIO'))) as unknown as typeof fs.ftruncate)
  const pending = kept.keep(storedEvent('1'))
  await until('an attempt', () => disk.failures >= 1)
  disk.isBroken = false
  await pending
  assert.deepEqual(await idsIn(folder), ['before', 'torn', '1'])
})

test('a failed fdatasync is no promise: the letters are written again', async t => {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('0'))
  let failures = 0
  const fdatasync = fs.fdatasync.bind(fs)
  t.mock.method(fs, 'fdatasync', ((fd, done) => {
    if (failures++ > 0) return fdatasync(fd, done)
    assert.deepEqual(kept.done, [['0', true]])
    done(Object.assign(new Error('EIO'), { code: 'EIO' }))
  }) as typeof fs.fdatasync)
  assert.equal(await kept.keep(storedEvent('1')), true)
  assert.deepEqual(await idsIn(folder), ['0', '1'])
  assert.equal((await letterFiles(folder)).length, 2, 'nobody knows what the kernel made of the first')
  assert.deepEqual(kept.told.lines, ['failed EIO 1 0'])
})

test('a folder that is removed meanwhile is made again', async t => {
  const folder = join(temporaryFolder(t), 'dead-letters')
  const kept = new Kept(t, { folder })
  await kept.keep(storedEvent('1'))
  fs.rmSync(folder, { recursive: true })
  await kept.keep(storedEvent('2'))
  assert.deepEqual(await idsIn(folder), ['2'])
  assert.equal(kept.deadLetters.bytes, sizeOf(folder))
})

/** A place where no folder can be made, for root either. */
function impossibleFolder(t: TestContext): { folder: string; heal: () => void } {
  const file = join(temporaryFolder(t), 'a-file')
  fs.writeFileSync(file, '')
  return { folder: join(file, 'dead-letters'), heal: () => fs.unlinkSync(file) }
}

test('without a journal and without a folder events are given up at once; a folder that comes is used', async t => {
  const { folder, heal } = impossibleFolder(t)
  const kept = new Kept(t, { folder, waitForFolder: false })
  assert.deepEqual(await Promise.all([kept.keep(storedEvent('1')), kept.keep(storedEvent('2'))]), [false, false])
  assert.match(kept.told.lines[0] ?? '', /^failed ENOTDIR 0 [12]$/)
  heal()
  assert.equal(await kept.keep(storedEvent('3')), true)
  assert.deepEqual(await idsIn(folder), ['3'])
})

test('with a journal events wait for the folder', async t => {
  const { folder, heal } = impossibleFolder(t)
  const kept = new Kept(t, { folder, waitForFolder: true })
  const pending = kept.keep(storedEvent('1'))
  await until('an attempt', () => kept.told.lines.length > 0)
  assert.deepEqual([kept.done, kept.told.lines[0]], [[], 'failed ENOTDIR 1 0'])
  heal()
  assert.equal(await pending, true)
})

test('closing ends a wait for the disk, and answers nothing', async t => {
  const { folder } = impossibleFolder(t)
  const kept = new Kept(t, { folder, waitForFolder: true, random: () => 1 })
  void kept.keep(storedEvent('1'))
  await until('three attempts', () => kept.told.lines.length >= 3)
  const started = performance.now()
  await kept.deadLetters.close()
  assert.ok(performance.now() - started < 300)
  assert.deepEqual(kept.done, [])
})

test('two processes may use one folder, as without a journal they may', async t => {
  const folder = temporaryFolder(t)
  const now = (): number => 0
  const [a, b] = [new Kept(t, { folder, now }), new Kept(t, { folder, now })]
  const ids = Array.from({ length: 40 }, (_, i) => String(i))
  await Promise.all(ids.map((id, i) => sleep(i % 7).then(() => (i % 2 === 0 ? a : b).keep(storedEvent(id)))))
  assert.deepEqual((await idsIn(folder)).sort(), ids.sort())
})
