import type { Registry } from 'prom-client'
import { counter, gauge } from './exposition.ts'
import { PlainHistogram } from './histogram.ts'
import type { Ledger } from './ledger.ts'

/** The journal at the moment of a scrape. */
export interface JournalGauges {
  /** Size of its files. */
  readonly bytes: number
  readonly limitBytes: number
  readonly segments: number
  /** It does not work now. */
  readonly failing: boolean
  /** The longest write or fdatasync since the start. */
  readonly longestCommitSeconds: number
}

/** The files of dead letters at the moment of a scrape. */
export interface DeadLetterGauges {
  readonly bytes: number
  readonly limitBytes: number
}

/** What the hot path observes, and the function that sets the rest at a scrape. */
export interface JournalMetrics {
  readonly commitDuration: PlainHistogram
  readonly commitEvents: PlainHistogram
  readonly fsyncDuration: PlainHistogram
  readonly read: (now: { readonly journal: JournalGauges | undefined; readonly deadLetters: DeadLetterGauges }) => void
}

/** Buckets in seconds: a write goes into the page cache, unless the disk is busy. */
const WRITE_BUCKETS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1]
const FSYNC_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5]
const EVENT_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

/** Without a journal every gauge of it is 0, so that a dashboard shows the same series for every pod. */
const NO_JOURNAL: JournalGauges = { bytes: 0, limitBytes: 0, segments: 0, failing: false, longestCommitSeconds: 0 }

/** Registers what is about the journal and about dead letters. */
export function registerJournalMetrics(registry: Registry, prefix: string, ledger: Ledger): JournalMetrics {
  const histogram = (name: string, help: string, bounds: readonly number[]): PlainHistogram =>
    new PlainHistogram(registry, prefix + name, help, bounds)
  const own = (name: string, help: string): ReturnType<typeof gauge> => gauge(registry, prefix + name, help)
  const total = (name: string, help: string, label?: string): ReturnType<typeof counter> =>
    counter(registry, prefix + name, help, label)
  const metrics = {
    commitDuration: histogram('journal_commit_duration_seconds', 'Time of a group commit’s write.', WRITE_BUCKETS),
    commitEvents: histogram('journal_commit_events', 'Events in a group commit.', EVENT_BUCKETS),
    fsyncDuration: histogram('journal_fsync_duration_seconds', 'Time of a group commit’s fdatasync.', FSYNC_BUCKETS)
  }
  const bytes = own('journal_bytes', 'Size of the journal’s files.')
  const limit = own('journal_limit_bytes', 'Its bound; 0 in durability memory.')
  const segments = own('journal_segments', 'Files of the journal.')
  const failing = own('journal_failing', '1 while the journal cannot be written, else 0.')
  const longest = own(
    'journal_longest_commit_seconds',
    'The longest write or fdatasync of the journal since the start.'
  )
  const errors = total('journal_errors_total', 'Failures of the journal, by the system’s name of the error.', 'code')
  const quarantined = total('journal_quarantined_total', 'Damaged pieces of the journal that were set aside.', 'what')
  const bypassed = total('events_bypassed_journal_total', 'Events answered 200 from memory, since the journal failed.')
  const deadLetterBytes = own('dead_letter_bytes', 'Size of the files of dead letters.')
  const deadLetterLimit = own('dead_letter_limit_bytes', 'Its bound.')
  const discarded = total('dead_letters_discarded_total', 'Dead letters deleted to make room for newer ones.')
  const topicRecords = total('dead_letter_topic_records_total', 'Notes for the dead letter topic.', 'result')
  const read: JournalMetrics['read'] = ({ journal = NO_JOURNAL, deadLetters }) => {
    bytes(journal.bytes)
    limit(journal.limitBytes)
    segments(journal.segments)
    failing(journal.failing ? 1 : 0)
    longest(journal.longestCommitSeconds)
    errors(ledger.journalErrors)
    quarantined(ledger.quarantined)
    bypassed(ledger.bypassedJournal)
    deadLetterBytes(deadLetters.bytes)
    deadLetterLimit(deadLetters.limitBytes)
    discarded(ledger.deadLettersDiscarded)
    topicRecords(ledger.deadLetterTopicRecords)
  }
  return { ...metrics, read }
}
