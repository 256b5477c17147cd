import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChecksProvider } from '../../../webhook/settings/checks.ts'
import { SettingsError } from '../../../webhook/settings/load.ts'
import { openSettings, type SettingsSource } from '../../../webhook/settings/source.ts'
import { LEAST } from './loading.ts'

const WATCH = { debounceMs: 5, pollMs: 3_600_000 }

let folder: string
let file: string
let source: SettingsSource | undefined
/** What was called back, in order. */
let events: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'))
  file = join(folder, 'settings.yaml')
  events = []
})
afterEach(() => {
  source?.stop()
  source = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function open(checks?: ChecksProvider): Promise<SettingsSource> {
  source = await openSettings(file, {
    ...(checks === undefined ? {} : { checks }),
    reloaded: settings => events.push(`reloaded ${settings.port}`),
    refused: error => events.push(`refused ${error.mistakes.map(({ path }) => path).join(' ')}`),
    watch: WATCH
  })
  return source
}

async function event(): Promise<string | undefined> {
  for (let waited = 0; events.length === 0 && waited < 3000; waited += 5) await sleep(5)
  return events.shift()
}

const withPort = (port: number | string): string => `${LEAST}port: ${port}\n`

describe('settings from a file', () => {
  test('are the last good ones: good, bad, good again', async () => {
    writeFileSync(file, withPort(2001))
    const { current } = await open()
    assert.equal(current.port, 2001)
    assert.deepEqual(events, [])
    for (const [text, said, port] of [
      [withPort(2002), 'reloaded 2002', 2002],
      [withPort('x') + 'prot: 1', 'refused prot port', 2002],
      ['image: [', 'refused line 1, column 9', 2002],
      ['', 'refused image kafka.brokers', 2002],
      [withPort(2003), 'reloaded 2003', 2003],
      [withPort(1), 'refused port', 2003],
      [withPort(2003), 'reloaded 2003', 2003]
    ] as const) {
      writeFileSync(file + '.new', text)
      renameSync(file + '.new', file)
      assert.equal(await event(), said)
      assert.equal(source?.current.port, port)
    }
    assert.equal(current.port, 2001)
  })

  test('stay when the file vanishes, and follow it when it comes back', async () => {
    writeFileSync(file, withPort(2001))
    await open()
    unlinkSync(file)
    assert.equal(await event(), `refused ${file}`)
    assert.equal(source?.current.port, 2001)
    writeFileSync(file, withPort(2002))
    // Written in place: the file may be seen empty first.
    let said = await event()
    if (said === 'refused image kafka.brokers') said = await event()
    assert.equal(said, 'reloaded 2002')
  })

  test('that change while librdkafka is being loaded are not lost', async () => {
    writeFileSync(file, withPort(2001).replace('}', ', config: {a: b}}'))
    let loaded = (): void => undefined
    const checks: ChecksProvider = () =>
      new Promise(
        resolve => (loaded = () => resolve({ checkProperty: () => ({ level: 'global' }), reserved: new Map() }))
      )
    const opening = open(checks)
    await sleep(20)
    writeFileSync(file + '.new', withPort(2002))
    renameSync(file + '.new', file)
    await sleep(30)
    loaded()
    await opening
    assert.equal(await event(), 'reloaded 2002')
    assert.equal(source?.current.port, 2002)
  })

  test('stay when they cannot be checked, and the next change is followed', async () => {
    writeFileSync(file, withPort(2001))
    await open(() => Promise.reject(new Error('no such library')))
    writeFileSync(file, withPort(2002).replace('}', ', config: {a: b}}'))
    assert.equal(await event(), `refused ${file}`)
    assert.equal(source?.current.port, 2001)
    writeFileSync(file + '.new', withPort(2003))
    renameSync(file + '.new', file)
    assert.equal(await event(), 'reloaded 2003')
  })

  test('tell nobody when they were stopped while being loaded', async () => {
    writeFileSync(file, withPort(2001))
    let answer: (() => void) | undefined
    const { stop } = await open(() => new Promise(resolve => (answer = () => resolve(undefined))))
    writeFileSync(file + '.new', withPort(2002).replace('}', ', config: {a: b}}'))
    renameSync(file + '.new', file)
    for (let waited = 0; answer === undefined && waited < 3000; waited += 5) await sleep(5)
    stop()
    answer?.()
    await sleep(10)
    assert.deepEqual(events, [])
  })

  test('are not followed after stopping', async () => {
    writeFileSync(file, withPort(2001))
    const { stop } = await open()
    stop()
    writeFileSync(file, withPort(2002))
    await sleep(50)
    assert.deepEqual(events, [])
    assert.equal(source?.current.port, 2001)
  })
})

test('at first, a file that is wrong or missing is an error, and nothing is watched', async () => {
  for (const [text, path] of [
    ['image: a', 'kafka.brokers'],
    [undefined, file]
  ] as const) {
    if (text === undefined) unlinkSync(file)
    else writeFileSync(file, text)
    await assert.rejects(open(), error => {
      assert.ok(error instanceof SettingsError)
      assert.deepEqual(
        error.mistakes.map(mistake => mistake.path),
        [path]
      )
      return true
    })
  }
  writeFileSync(file, withPort(2001))
  await sleep(30)
  assert.deepEqual(events, [])
})
