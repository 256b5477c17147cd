import { diskAdvice } from './disk-advice.ts'
import type { JournalObserver, QuarantineDetail, RecoverySummary } from './journal/observer.ts'
import { count, type Ledger } from './metrics/ledger.ts'
import type { Metrics } from './metrics/metrics.ts'

/** What the log is told: a line an incident and minute. */
export type Report = (level: 'info' | 'warn' | 'error', kind: string, fields: object, message: string) => void

/** What it means for the sender that the journal fails, by INFERENCE_LOGGER_WHEN_JOURNAL_FAILS. */
const CONSEQUENCE = {
  memory: 'events are taken in memory meanwhile, where they do not survive the process',
  reject: 'events are refused meanwhile'
} as const

/** What the journal goes on without: it does not fail as a whole when one of these does. */
const PARTS: Readonly<Record<string, string>> = {
  unlink: 'a file of the journal cannot be removed',
  quarantine: 'a damaged file of the journal cannot be moved to quarantine',
  compaction: 'the journal cannot be compacted',
  read: 'the journal cannot be read',
  recovery: 'what an earlier run left in the journal cannot be read'
}

/** The label of an error in `journal_errors_total`. */
function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? 'unknown'
}

/** Turns what happens to the journal into counts and log lines. */
export class JournalObservers implements JournalObserver {
  readonly #ledger: Ledger
  readonly #metrics: () => Metrics
  readonly #report: Report
  readonly #whenJournalFails: keyof typeof CONSEQUENCE
  /** Why the journal does not work, and since when; undefined while it does. */
  problem: { readonly since: string; readonly during: string; readonly message: string } | undefined

  /** @param metrics the histograms' owner, which is made after this */
  constructor(ledger: Ledger, metrics: () => Metrics, whenJournalFails: keyof typeof CONSEQUENCE, report: Report) {
    this.#ledger = ledger
    this.#metrics = metrics
    this.#whenJournalFails = whenJournalFails
    this.#report = report
  }

  committed(events: number, seconds: number): void {
    const metrics = this.#metrics()
    metrics.journalCommitDuration.observe(seconds)
    metrics.journalCommitEvents.observe(events)
  }

  synced(seconds: number): void {
    this.#metrics().journalFsyncDuration.observe(seconds)
  }

  failed(error: NodeJS.ErrnoException | Error, during: string): void {
    const code = codeOf(error)
    count(this.#ledger.journalErrors, code)
    const advice = diskAdvice(code)
    const fields = { code, during }
    const part = PARTS[during]
    if (part !== undefined) {
      this.#report('error', `journal ${during} ${code}`, fields, `${part} (${error.message})${advice}`)
      return
    }
    this.problem = { since: this.problem?.since ?? new Date().toISOString(), during, message: error.message }
    const consequence = CONSEQUENCE[this.#whenJournalFails]
    const message = `the journal does not work (${error.message})${advice}; ${consequence}`
    this.#report('error', `journal ${code}`, fields, message)
  }

  healed(rejournaled: number): void {
    const since = this.problem?.since
    this.problem = undefined
    this.#report('info', 'journal healed', { since, rejournaled }, 'the journal works again')
  }

  replayed(events: number): void {
    this.#ledger.replayed += events
  }

  recovered({ segments, events, seconds }: RecoverySummary): void {
    if (events === 0) return
    this.#report(
      'info',
      'journal recovered',
      { segments, events, seconds: Math.round(seconds * 1000) / 1000 },
      'events of an earlier run are in the journal and are delivered now; some may arrive twice'
    )
  }

  quarantined(what: 'record' | 'segment', { segment, offset, records, file }: QuarantineDetail): void {
    count(this.#ledger.quarantined, what)
    const where = file === undefined ? 'there was no room to keep it' : `it is kept as ${file}`
    this.#report(
      'error',
      `journal quarantined ${what}`,
      { segment, offset, records, file },
      `a ${what} of the journal is damaged, and what was in it is lost: ${where}. Check the node’s disk`
    )
  }

  bypassed(events: number): void {
    this.#ledger.bypassedJournal += events
  }
}
