import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DiskFault, withoutDiskFaults } from '../support/faults/disk.ts'
import { withoutOwnKafka } from '../support/kafka/index.ts'
import type { Load, Trial } from '../support/oracle/index.ts'
import { diskTrials, failing, healthy, underLoad } from './disk-trial.ts'
import { total } from '../support/sidecar-process.ts'

const idle: Load = { connections: 1, paceMs: 100 }
const loads = [
  ['idle', idle],
  ['under load', underLoad]
] as const

const { kafka, prepare, absent } = diskTrials()

const faults = [
  { name: 'writes fail with ENOSPC', set: { write: 'ENOSPC', create: 'ENOSPC' } },
  { name: 'the disk fills up in the middle of a write', set: { 'short-write': 'ENOSPC', create: 'ENOSPC' } },
  { name: 'a write is cut off and its beginning cannot be taken back', set: { 'short-write': 'EIO', truncate: 'EIO' } },
  { name: 'writes fail with EIO', set: { write: 'EIO' } },
  { name: 'no new segment can be made', set: { create: 'ENOSPC' } },
  { name: 'fdatasync fails', set: { sync: 'EIO' }, env: { INFERENCE_LOGGER_DURABILITY: 'fsync' } }
] as const

describe('a disk that fails', { skip: withoutOwnKafka || withoutDiskFaults, timeout: 300_000, concurrency: 3 }, () => {
  for (const { name, set, ...others } of faults) {
    const env = 'env' in others ? others.env : {}
    for (const [how, load] of loads) {
      test(`${name}, ${how}: with policy memory events are taken, and journaled when it heals`, async t => {
        const trial = await prepare(t, env)
        const { victim, issuer } = trial
        const fault = new DiskFault(victim.journalDir)
        t.after(() => fault.close())
        const process = await victim.start({ ...fault.env, ...absent() })
        issuer.start(load)
        await sleep(400)
        fault.set(set)
        await process.waitFor('the failure is seen', failing)
        await sleep(700)
        const during = await process.metrics()
        assert.equal((await process.get('/readyz')).status, 200)
        assert.ok(total(during, 'inference_logger_events_bypassed_journal_total') > 0)
        assert.ok(total(during, 'inference_logger_journal_errors_total') > 0)
        fault.clear()
        await process.waitFor('it heals', healthy)
        await sleep(300)
        await issuer.stop()
        await victim.kill()
        const { refused, unanswered } = await trial.conclude()
        assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
      })

      test(`${name}, ${how}: with policy reject nothing is answered 200 that is not safe`, async t => {
        const trial = await prepare(t, { INFERENCE_LOGGER_WHEN_JOURNAL_FAILS: 'reject', ...env })
        const { victim, issuer } = trial
        const fault = new DiskFault(victim.journalDir)
        t.after(() => fault.close())
        const process = await victim.start({ ...fault.env, ...absent() })
        issuer.start(load)
        await sleep(400)
        fault.set(set)
        await process.waitFor('the failure is seen', failing)
        await sleep(50)
        const accepted = issuer.issued.tally('accepted')
        await sleep(600)
        assert.equal(issuer.issued.tally('accepted'), accepted, 'no 200 while the journal fails')
        assert.equal((await process.get('/readyz')).status, 200)
        await issuer.stop()
        await victim.kill()
        // The next start finds the disk as bad.
        const next = await victim.start({ ...fault.env, ...absent() })
        issuer.start(load)
        await sleep(500)
        assert.equal((await next.get('/readyz')).status, 200)
        fault.clear()
        await next.waitFor('it heals', healthy)
        const healed = issuer.issued.tally('accepted')
        await sleep(300)
        assert.ok(issuer.issued.tally('accepted') > healed, 'events are taken again')
        await issuer.stop()
        await victim.kill()
        const { unanswered } = await trial.conclude()
        assert.equal(unanswered, 0)
        assert.deepEqual([...issuer.issued.refusals.keys()], [503])
      })
    }
  }

  test('segments that cannot be removed are delivered a second time, and nothing else', async t => {
    const trial = await prepare(t, {})
    const { victim, issuer } = trial
    const fault = new DiskFault(victim.journalDir)
    t.after(() => fault.close())
    await victim.start(fault.env)
    fault.set({ unlink: 'EIO' })
    issuer.start(underLoad)
    await sleep(1500)
    await issuer.stop()
    await victim.drained()
    assert.equal((await victim.process.get('/readyz')).status, 200)
    await victim.kill()
    assert.ok(trial.segments.length > 0)
    const { refused } = await trial.conclude()
    assert.equal(refused, 0)
  })

  test('events that cannot be read back for longer than it is tried in a row arrive when they can', async t => {
    const trial = await prepare(t, { INFERENCE_LOGGER_MEMORY_MAX_BYTES: '1Mi' })
    const { victim, issuer } = trial
    await kafka().createTopic(trial.source.topics[0] ?? '')
    const fault = new DiskFault(victim.journalDir)
    t.after(() => fault.close())
    // The other topic's events wait on disk.
    await victim.start({ ...fault.env, KAFKA_TOPIC_REPLICATION_FACTOR: '5' })
    issuer.start(underLoad)
    await victim.process.waitFor('more waits than memory holds', metrics => {
      return (metrics.get('inference_logger_journal_bytes') ?? 0) > 2 * 1024 * 1024
    })
    fault.set({ read: 'EIO' })
    await kafka().createTopic(trial.source.topics[1] ?? '')
    await sleep(9000)
    assert.ok(total(await victim.process.metrics(), 'inference_logger_journal_errors_total') > 0, 'reading has failed')
    fault.clear()
    const { refused } = await trial.conclude()
    assert.equal(refused, 0)
  })

  test('a journal that cannot be read at the start is delivered once it can', async t => {
    const trial = await prepare(t, {})
    const { victim, issuer } = trial
    const { fault, backlog } = await backlogBehindFault(t, trial, { read: 'EIO' })
    const process = await victim.start(fault.env)
    assert.equal((await process.get('/readyz')).status, 200)
    issuer.start(idle)
    await process.waitFor('the failure is seen', failing)
    await sleep(500)
    fault.clear()
    await process.waitFor('it heals', healthy)
    const { replayed } = await trial.conclude()
    assert.equal(replayed, backlog)
  })

  test('segments that cannot be read whole at the start stay, and are delivered by a later one', async t => {
    const trial = await prepare(t, {})
    const { victim, issuer } = trial
    const { fault, backlog } = await backlogBehindFault(t, trial, { 'bulk-read': 'EIO' })
    const process = await victim.start(fault.env)
    issuer.start(idle)
    const setAside = /journal_quarantined_total\{what="segment"\}/
    await process.waitFor('some are set aside', metrics => {
      return [...metrics].some(([sample, value]) => setAside.test(sample) && value > 0)
    })
    assert.equal((await process.get('/readyz')).status, 200)
    await issuer.stop()
    await victim.kill()
    fault.clear()
    const { replayed } = await trial.conclude({ allowGivenUp: setAside })
    assert.ok(replayed >= backlog, `${replayed} of ${backlog}`)
  })

  /** Some events in the journal of a sidecar that was killed, and a disk that does not give them. */
  async function backlogBehindFault(
    t: TestContext,
    { victim, issuer }: Trial,
    set: Parameters<DiskFault['set']>[0]
  ): Promise<{ fault: DiskFault; backlog: number }> {
    const fault = new DiskFault(victim.journalDir)
    t.after(() => fault.close())
    await victim.start(absent())
    await issuer.sendOneByOne(100)
    await victim.kill()
    fault.set(set)
    return { fault, backlog: issuer.issued.tally('accepted') }
  }
})
