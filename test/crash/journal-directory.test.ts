import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Mount, withoutMounts } from '../support/faults/disk.ts'
import { withoutOwnKafka } from '../support/kafka/index.ts'
import { diskTrials, failing, healthy, underLoad } from './disk-trial.ts'
import { SidecarProcess, total } from '../support/sidecar-process.ts'

const { prepare, absent } = diskTrials()

describe('a journal on 4 MiB', { skip: withoutOwnKafka || withoutMounts, timeout: 300_000 }, () => {
  for (const policy of ['memory', 'reject'] as const) {
    test(`is full with Kafka away, and with policy ${policy} loses nothing by kills before and after`, async t => {
      const mount = new Mount('4m')
      t.after(() => mount.close())
      const trial = await prepare(t, { INFERENCE_LOGGER_WHEN_JOURNAL_FAILS: policy }, mount.folder)
      const { victim, issuer } = trial
      const process = await victim.start(absent())
      issuer.start(underLoad)
      await process.waitFor('the disk is full', failing)
      assert.equal((await process.get('/readyz')).status, 200)
      if (policy === 'reject') {
        // On the full disk.
        await issuer.stop()
        await victim.kill()
        await victim.start(absent())
        issuer.start(underLoad)
        await sleep(500)
        assert.equal((await victim.process.get('/readyz')).status, 200)
      } else {
        await sleep(500)
      }
      mount.remount('size=64m')
      await victim.process.waitFor('more room heals it', healthy)
      await sleep(300)
      await issuer.stop()
      await victim.kill()
      const { refused, unanswered } = await trial.conclude()
      assert.equal(unanswered, 0)
      if (policy === 'memory') assert.equal(refused, 0)
      else assert.deepEqual([...issuer.issued.refusals.keys()], [503])
    })
  }

  test('is full and is emptied by Kafka alone', async t => {
    const mount = new Mount('4m')
    t.after(() => mount.close())
    const trial = await prepare(t, { INFERENCE_LOGGER_WHEN_JOURNAL_FAILS: 'reject' }, mount.folder)
    const { victim, issuer } = trial
    await victim.start(absent())
    issuer.start(underLoad)
    await victim.process.waitFor('the disk is full', failing)
    await issuer.stop()
    await victim.kill()
    await victim.start()
    await victim.process.waitFor('it heals', healthy)
    await trial.conclude()
  })

  test('is read-only for a while', async t => {
    const mount = new Mount('64m')
    t.after(() => mount.close())
    const trial = await prepare(t, {}, mount.folder)
    const { victim, issuer } = trial
    mount.remount('ro')
    await victim.start()
    issuer.start(underLoad)
    await victim.process.waitFor('the failure is seen', failing)
    await victim.process.waitFor('events are delivered all the same', metrics => {
      return total(metrics, 'inference_logger_events_delivered_total') > 50
    })
    assert.equal((await victim.process.get('/readyz')).status, 200)
    mount.remount('rw')
    await victim.process.waitFor('it heals', healthy)
    await issuer.stop()
    const { refused, unanswered } = await trial.conclude()
    assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
  })
})

describe('a journal’s directory', { skip: withoutOwnKafka, timeout: 300_000 }, () => {
  function folder(t: TestContext): string {
    const path = mkdtempSync(join(tmpdir(), 'inference-logger-place-'))
    t.after(() => rmSync(path, { recursive: true, force: true }))
    return path
  }

  test('that is missing is made, with its parents', async t => {
    const trial = await prepare(t, {}, join(folder(t), 'some', 'where'))
    await trial.victim.start()
    assert.ok(healthy(await trial.victim.process.metrics()))
    await trial.conclude()
  })

  for (const policy of ['memory', 'reject'] as const) {
    test(`that is a file: with policy ${policy} the sidecar runs, and journals once the file is gone`, async t => {
      const place = join(folder(t), 'journal')
      writeFileSync(place, 'a file')
      const trial = await prepare(t, { INFERENCE_LOGGER_WHEN_JOURNAL_FAILS: policy }, place)
      const { victim, issuer } = trial
      const process = await victim.start()
      assert.ok(failing(await process.metrics()))
      assert.equal((await process.get('/readyz')).status, 200)
      const statuses = await issuer.sendOneByOne(5)
      assert.deepEqual(new Set(statuses), new Set([policy === 'memory' ? 200 : 503]))
      assert.ok(process.logs.some(line => line.level === 'error' && JSON.stringify(line).includes(place)))
      rmSync(place)
      await process.waitFor('it heals', healthy)
      issuer.start(underLoad)
      await sleep(500)
      await issuer.stop()
      await victim.kill()
      await trial.conclude()
    })
  }

  test('belongs to one process: a second one ends with a clear error, and the first goes on', async t => {
    const trial = await prepare(t, {})
    const { victim, issuer } = trial
    await victim.start()
    issuer.start(underLoad)
    const second = SidecarProcess.spawn({
      ...absent(),
      INFERENCE_LOGGER_DURABILITY: 'journal',
      INFERENCE_LOGGER_JOURNAL_DIR: victim.journalDir
    })
    t.after(() => second.close())
    assert.deepEqual(await second.exited, { code: 1, signal: null })
    const said = second.logs.map(line => JSON.stringify(line)).join('\n')
    assert.match(said, /belongs to another process/)
    assert.ok(said.includes(victim.journalDir))
    assert.ok(said.includes(String(victim.process.pid)), 'it says which')
    await sleep(300)
    const { refused, unanswered } = await trial.conclude()
    assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
  })
})
