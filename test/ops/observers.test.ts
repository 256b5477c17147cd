import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../sidecar/config/config.ts'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { Ledger } from '../../sidecar/metrics/ledger.ts'
import { Metrics } from '../../sidecar/metrics/metrics.ts'
import { Observers } from '../../sidecar/observers.ts'
import { storedEvent } from '../dead-letters/letters.ts'

interface Line {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** Observers with their ledger and the log that they write. */
function observe(config: Partial<Pick<Config, 'durability' | 'whenJournalFails'>> = {}): {
  observers: Observers
  ledger: Ledger
  metrics: Metrics
  log: Line[]
} {
  const ledger = new Ledger()
  const log: Line[] = []
  const logger = createLogger('trace', 'test', { write: line => void log.push(JSON.parse(line) as Line) })
  const metrics = new Metrics(
    ledger,
    () => assert.fail(),
    () => undefined,
    { version: '', librdkafka: '', node: '' }
  )
  const observers = new Observers(ledger, () => metrics, logger, {
    durability: 'journal',
    whenJournalFails: 'memory',
    ...config
  })
  return { observers, ledger, metrics, log }
}

const systemError = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: it failed, write`), { code })

/** What an operator is told to do about a journal that fails. */
const ADVICE: Readonly<Record<string, RegExp>> = {
  ENOSPC: /volume of INFERENCE_LOGGER_JOURNAL_DIR is too small.*INFERENCE_LOGGER_JOURNAL_MAX_BYTES/,
  EDQUOT: /volume of INFERENCE_LOGGER_JOURNAL_DIR is too small/,
  EROFS: /mount a writable volume at INFERENCE_LOGGER_JOURNAL_DIR/,
  EACCES: /fsGroup/,
  EPERM: /fsGroup/,
  ENOENT: /mount a volume at INFERENCE_LOGGER_JOURNAL_DIR/,
  EIO: /kernel log/,
  JOURNAL_VERSION: /not touched/
}

for (const [code, advice] of Object.entries(ADVICE)) {
  test(`a journal that fails with ${code}: one line that says what to do and what happens meanwhile`, () => {
    const { observers, ledger, log } = observe()
    for (let i = 0; i < 5; i++) observers.journal.failed(systemError(code), 'write')
    assert.equal(ledger.journalErrors[code], 5)
    assert.equal(log.length, 1)
    assert.deepEqual([log[0]?.level, log[0]?.['code'], log[0]?.['during']], ['error', code, 'write'])
    assert.match(log[0]?.msg ?? '', advice)
    assert.match(log[0]?.msg ?? '', /; events are taken in memory meanwhile/)
    assert.equal(observers.lastError?.message, log[0]?.msg)
  })
}

test('where events are refused meanwhile, the line says that', () => {
  const { observers, log } = observe({ whenJournalFails: 'reject' })
  observers.journal.failed(systemError('EIO'), 'write')
  assert.match(log[0]?.msg ?? '', /; events are refused meanwhile$/)
})

test('an error without a code is counted under a name of its own', () => {
  const { observers, ledger, log } = observe()
  observers.journal.failed(new Error('the journal is full'), 'heal')
  assert.deepEqual(ledger.journalErrors, { unknown: 1 })
  assert.match(log[0]?.msg ?? '', /^the journal does not work \(the journal is full\); events/)
})

test('a journal that works again: what was wrong is over, and a line says so', t => {
  t.mock.timers.enable({ apis: ['Date'] })
  const { observers, log } = observe()
  observers.journal.failed(systemError('EIO'), 'open')
  const since = observers.journal.problem?.since
  t.mock.timers.tick(5000)
  observers.journal.failed(systemError('ENOSPC'), 'write')
  assert.deepEqual([observers.journal.problem?.during, observers.journal.problem?.since], ['write', since])
  observers.journal.healed(42)
  assert.equal(observers.journal.problem, undefined)
  assert.deepEqual(
    [log.at(-1)?.level, log.at(-1)?.['rejournaled'], log.at(-1)?.msg],
    ['info', 42, 'the journal works again']
  )
})

for (const during of ['unlink', 'quarantine', 'compaction', 'read', 'recovery']) {
  test(`a failed ${during} is counted and logged, and the journal still works`, () => {
    const { observers, ledger, log } = observe()
    observers.journal.failed(systemError('EIO'), during)
    assert.deepEqual([ledger.journalErrors, observers.journal.problem], [{ EIO: 1 }, undefined])
    assert.doesNotMatch(log[0]?.msg ?? '', /does not work|meanwhile/)
  })
}

test('each part of the journal’s work has its counter or histogram', async () => {
  const { observers, ledger, metrics } = observe()
  observers.journal.committed(7, 0.003)
  observers.journal.committed(1, 0.00004)
  observers.journal.synced(0.02)
  observers.journal.replayed(5)
  observers.journal.replayed(6)
  observers.journal.bypassed(3)
  observers.journal.quarantined('record', { segment: 'a.journal', offset: 12, records: 2, file: '/q/a' })
  observers.journal.quarantined('segment', { segment: 'b.journal' })
  assert.deepEqual([ledger.replayed, ledger.bypassedJournal, ledger.quarantined], [11, 3, { record: 1, segment: 1 }])
  const valueOf = async (name: string): Promise<unknown> => {
    const metric = await metrics.registry.getSingleMetric(`inference_logger_journal_${name}`)?.get()
    return (metric?.values as unknown as { metricName: string; value: number }[])
      .filter(({ metricName }) => /_(?:sum|count)$/.test(metricName))
      .map(({ value }) => value)
  }
  assert.deepEqual(await valueOf('commit_events'), [8, 2])
  assert.deepEqual(await valueOf('commit_duration_seconds'), [0.00304, 2])
  assert.deepEqual(await valueOf('fsync_duration_seconds'), [0.02, 1])
})

test('damage is told with where it was and where it is kept', () => {
  const { observers, log } = observe()
  observers.journal.quarantined('record', { segment: 'a.journal', offset: 12, records: 2, file: '/q/a' })
  observers.journal.quarantined('segment', { segment: 'b.journal' })
  assert.deepEqual(
    [log[0]?.['segment'], log[0]?.['offset'], log[0]?.['records'], log[0]?.['file']],
    ['a.journal', 12, 2, '/q/a']
  )
  assert.match(log[0]?.msg ?? '', /record of the journal is damaged.*kept as \/q\/a/)
  assert.match(log[1]?.msg ?? '', /segment of the journal is damaged.*no room to keep it/)
})

test('an earlier run’s events are told of once; an empty journal is not worth a line', () => {
  const { observers, log } = observe()
  observers.journal.recovered({ segments: 1, events: 0, seconds: 0.1 })
  assert.equal(log.length, 0)
  observers.journal.recovered({ segments: 3, events: 1234, seconds: 0.1234567 })
  assert.deepEqual([log[0]?.level, log[0]?.['events'], log[0]?.['seconds']], ['info', 1234, 0.123])
})

test('a full store is told of by what is full', () => {
  const adviceOf = (durability: Config['durability'], isFailing = false): string => {
    const { observers, log } = observe({ durability })
    if (isFailing) observers.journal.failed(systemError('EIO'), 'write')
    observers.rejected('queue_full')
    return log.at(-1)?.msg ?? ''
  }
  assert.match(adviceOf('memory'), /queue is full.*INFERENCE_LOGGER_MEMORY_MAX_BYTES/)
  assert.match(adviceOf('journal'), /journal is full.*INFERENCE_LOGGER_JOURNAL_MAX_BYTES/)
  assert.match(adviceOf('kafka'), /journal is full/)
  assert.match(adviceOf('fsync', true), /journal does not work, and the memory that stands in for it is full/)
})

test('events that the store drops are counted, and logged once a minute with their number', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { observers, ledger, log } = observe()
  const numbers = (): unknown[] => log.map(line => line['events'])
  observers.storeDropped('queue_full', 3)
  observers.storeDropped('queue_full', 4)
  observers.storeDropped('queue_full', 5)
  assert.deepEqual([numbers(), ledger.dropped.queue_full], [[3], 12])
  assert.match(log[0]?.msg ?? '', /INFERENCE_LOGGER_WHEN_FULL=drop-oldest/)
  t.mock.timers.tick(59_999)
  assert.deepEqual(numbers(), [3])
  t.mock.timers.tick(1)
  assert.deepEqual(numbers(), [3, 9])
  t.mock.timers.tick(600_000)
  assert.deepEqual(numbers(), [3, 9], 'nothing was dropped since')
  observers.storeDropped('queue_full', 1)
  observers.storeDropped('journal_unreadable', 2)
  assert.deepEqual(numbers(), [3, 9, 1, 2])
  assert.equal(ledger.dropped.journal_unreadable, 2)
})

test('a dead letter and a dropped event are counted apart, and logged with their topic and never their data', () => {
  const { observers, ledger, log } = observe()
  const stored = storedEvent('4711', 'hunter2')
  observers.deadLettered(stored, 'record_too_large')
  observers.dropped(stored, 'record_too_large')
  observers.dropped(stored, 'invalid_record')
  assert.deepEqual(
    [ledger.deadLettered.record_too_large, ledger.dropped.record_too_large, ledger.dropped.invalid_record],
    [1, 1, 1]
  )
  assert.deepEqual(
    log.map(({ msg, topic, id }) => [msg.split(':', 1)[0], topic, id]),
    [
      ['an event was set aside as a dead letter', 'a-topic', '4711'],
      ['an event was dropped', 'a-topic', '4711'],
      ['an event was dropped', 'a-topic', '4711']
    ]
  )
  assert.match(log[0]?.msg ?? '', /max\.message\.bytes/)
  assert.doesNotMatch(JSON.stringify(log), /hunter2/)
})

test('what happens to dead letters has its counters and lines', () => {
  const { observers, ledger, log } = observe()
  const { deadLetters } = observers
  deadLetters.failed(systemError('ENOSPC'), 3, 0)
  deadLetters.failed(systemError('EROFS'), 0, 2)
  deadLetters.discarded(12)
  deadLetters.noted()
  deadLetters.noteRefused({ code: 10, name: 'msg_size_too_large', message: 'too large' })
  deadLetters.noteDelayed({ code: 29, name: 'topic_authorization_failed', message: 'not allowed' })
  deadLetters.notesSkipped(4)
  assert.deepEqual(ledger.deadLetterTopicRecords, { delivered: 1, failed: 1, skipped: 4 })
  assert.equal(ledger.deadLettersDiscarded, 12)
  assert.match(log[0]?.msg ?? '', /too small.*; refused events stay pending/)
  assert.match(log[1]?.msg ?? '', /writable volume.*; the refused event is dropped/)
  assert.match(log[2]?.msg ?? '', /INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES/)
  assert.equal(log.length, 6)
})
