import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { watchFiles, type WatchOptions } from '../../../webhook/files/watch.ts'

/** Long enough for a call that is due, and for one that must not come. */
const DEBOUNCE_MS = 10
const SETTLED_MS = 50
/** A test that leans on the system's notices alone: no poll comes during it. */
const NOTICES = { debounceMs: DEBOUNCE_MS, pollMs: 3_600_000 } satisfies WatchOptions
/** A test in which nothing can be noticed. */
const POLLING = { debounceMs: 1, pollMs: 20 } satisfies WatchOptions

let folder: string
let stop: () => void
let calls: number

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'))
  stop = () => undefined
  calls = 0
})
afterEach(() => {
  stop()
  rmSync(folder, { recursive: true, force: true })
})

function watching(paths: readonly string[], options: WatchOptions): void {
  stop = watchFiles(paths, () => calls++, options)
}

/** Waits for a call, and lets what follows it come as well. */
async function called(): Promise<number> {
  for (let waited = 0; calls === 0 && waited < 3000; waited += 10) await sleep(10)
  await sleep(SETTLED_MS)
  const count = calls
  calls = 0
  return count
}

/** As kubelet's AtomicWriter does: a new folder, and a link to it that replaces the one before by a rename. */
function mount(volume: string, version: string, files: Readonly<Record<string, string>>, before?: string): void {
  mkdirSync(join(volume, `..${version}`))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(volume, `..${version}`, name), content)
  symlinkSync(`..${version}`, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  for (const name of Object.keys(files)) {
    if (before === undefined) symlinkSync(join('..data', name), join(volume, name))
  }
  if (before !== undefined) rmSync(join(volume, `..${before}`), { recursive: true })
}

describe('a change is noticed at once, and told once', () => {
  test('in a mounted ConfigMap, whose ..data link is replaced', async () => {
    mount(folder, '2026_1', { 'settings.yaml': 'one' })
    watching([join(folder, 'settings.yaml')], NOTICES)
    mount(folder, '2026_2', { 'settings.yaml': 'two' }, '2026_1')
    assert.equal(await called(), 1)
    mount(folder, '2026_3', { 'settings.yaml': 'three' }, '2026_2')
    assert.equal(await called(), 1)
  })

  test('in a mounted Secret, whose certificate and key change together', async () => {
    mount(folder, '2026_1', { 'tls.crt': 'certificate', 'tls.key': 'key' })
    watching([join(folder, 'tls.crt'), join(folder, 'tls.key')], NOTICES)
    mount(folder, '2026_2', { 'tls.crt': 'certificate 2', 'tls.key': 'key 2' }, '2026_1')
    assert.equal(await called(), 1)
  })

  test('of a file that another replaces by a rename', async () => {
    const file = join(folder, 'settings.yaml')
    writeFileSync(file, 'one')
    watching([file], NOTICES)
    writeFileSync(join(folder, 'new'), 'two')
    renameSync(join(folder, 'new'), file)
    assert.equal(await called(), 1)
  })

  test('of a file that is written in place, to the same length and in the same millisecond', async () => {
    const file = join(folder, 'settings.yaml')
    writeFileSync(file, 'one')
    watching([file], NOTICES)
    writeFileSync(file, 'two')
    assert.equal(await called(), 1)
    writeFileSync(file, 'six')
    assert.equal(await called(), 1)
  })

  test('of a file that was missing, and of one that vanishes', async () => {
    const file = join(folder, 'settings.yaml')
    watching([file], NOTICES)
    writeFileSync(file, 'one')
    assert.equal(await called(), 1)
    unlinkSync(file)
    assert.equal(await called(), 1)
  })

  test('in files of different folders', async () => {
    const files = ['a', 'b'].map(name => {
      mkdirSync(join(folder, name))
      return join(folder, name, 'file')
    })
    watching(files, NOTICES)
    for (const file of files) {
      writeFileSync(file, 'one')
      assert.equal(await called(), 1, file)
    }
  })

  test('many writes are few calls, and the last of them is not missed', async () => {
    const file = join(folder, 'settings.yaml')
    const read: string[] = []
    stop = watchFiles([file], () => read.push(readFileSync(file, 'utf8')), NOTICES)
    const begin = performance.now()
    for (let i = 0; i < 50; i++) {
      writeFileSync(file, String(i))
      await sleep(1)
    }
    const most = Math.ceil((performance.now() - begin) / DEBOUNCE_MS) + 1
    await sleep(SETTLED_MS)
    assert.ok(read.length <= most, `${read.length} calls, at most ${most}`)
    assert.equal(read.at(-1), '49')
  })
})

describe('what comes without a notice is found by looking', () => {
  test('a folder that was missing', async () => {
    const file = join(folder, 'later', 'settings.yaml')
    watching([file], POLLING)
    await sleep(SETTLED_MS)
    assert.equal(calls, 0)
    mkdirSync(join(folder, 'later'))
    writeFileSync(file, 'one')
    assert.equal(await called(), 1)
  })

  test('a folder that is deleted and made again', async () => {
    const sub = join(folder, 'sub')
    const file = join(sub, 'settings.yaml')
    mkdirSync(sub)
    writeFileSync(file, 'one')
    watching([file], POLLING)
    rmSync(sub, { recursive: true })
    assert.equal(await called(), 1)
    mkdirSync(sub)
    writeFileSync(file, 'two')
    assert.equal(await called(), 1)
    writeFileSync(file, 'three')
    assert.equal(await called(), 1)
  })

  test('a folder that is replaced before anybody looks is watched again at once', async () => {
    const sub = join(folder, 'sub')
    const file = join(sub, 'settings.yaml')
    mkdirSync(sub)
    writeFileSync(file, 'one')
    watching([file], NOTICES)
    rmSync(sub, { recursive: true })
    mkdirSync(sub)
    await sleep(SETTLED_MS)
    calls = 0
    writeFileSync(file, 'two')
    assert.equal(await called(), 1)
  })

  test('a folder that was missing is then watched: the next change waits for no poll', async () => {
    const file = join(folder, 'later', 'settings.yaml')
    const pollMs = 300
    watching([file], { debounceMs: 1, pollMs })
    mkdirSync(join(folder, 'later'))
    writeFileSync(file, 'one')
    while (calls === 0) await sleep(5)
    const begin = performance.now()
    writeFileSync(file, 'two')
    while (calls === 1) await sleep(5)
    assert.ok(performance.now() - begin < pollMs / 2)
  })

  test('a file behind a link to another folder', async () => {
    mkdirSync(join(folder, 'here'))
    writeFileSync(join(folder, 'there'), 'one')
    symlinkSync(join(folder, 'there'), join(folder, 'here', 'settings.yaml'))
    watching([join(folder, 'here', 'settings.yaml')], POLLING)
    writeFileSync(join(folder, 'there'), 'two')
    assert.equal(await called(), 1)
  })
})

describe('no call comes', () => {
  for (const [how, options] of [
    ['by notices', NOTICES],
    ['by looking', POLLING]
  ] as const) {
    test(`when nothing changed, ${how}`, async () => {
      const file = join(folder, 'settings.yaml')
      writeFileSync(file, 'one')
      watching([file], options)
      writeFileSync(join(folder, 'another'), 'x')
      writeFileSync(file, 'one')
      chmodSync(file, 0o600)
      await sleep(SETTLED_MS * 2)
      assert.equal(calls, 0)
    })
  }

  test('when a mounted volume changed in other files', async () => {
    mount(folder, '2026_1', { 'settings.yaml': 'one', other: 'one' })
    watching([join(folder, 'settings.yaml')], NOTICES)
    mount(folder, '2026_2', { 'settings.yaml': 'one', other: 'two' }, '2026_1')
    await sleep(SETTLED_MS * 2)
    assert.equal(calls, 0)
  })

  test('after stopping, not even one that was due', async () => {
    const file = join(folder, 'settings.yaml')
    watching([file], { debounceMs: 30, pollMs: 30 })
    writeFileSync(file, 'one')
    await sleep(10)
    stop()
    stop()
    writeFileSync(file, 'two')
    await sleep(SETTLED_MS * 2)
    assert.equal(calls, 0)
  })
})

test('a process that only watches ends', { timeout: 10_000 }, async () => {
  const module = new URL('../../../webhook/files/watch.js', import.meta.url).href
  writeFileSync(join(folder, 'file'), 'one')
  const script =
    `const { watchFiles } = await import(${JSON.stringify(module)})\n` +
    `watchFiles([${JSON.stringify(join(folder, 'file'))}, '/nowhere/file'], () => {}, { pollMs: 50 })\n` +
    `process.on('exit', () => console.log('done'))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 8000
  })
  assert.equal(stdout, 'done\n')
})
