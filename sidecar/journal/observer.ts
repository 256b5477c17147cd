/** Where a damaged piece of the journal was, and where it is kept now. */
export interface QuarantineDetail {
  /** Name of the segment's file. */
  readonly segment: string
  /** Where in it the damage begins, in bytes; undefined for a whole segment. */
  readonly offset?: number | undefined
  /** Events that were lost with it, as far as that can be told. */
  readonly records?: number | undefined
  /** Where the bytes are kept; undefined: there was no room for them. */
  readonly file?: string | undefined
}

/** What an earlier run left, and how long it took to read that. */
export interface RecoverySummary {
  readonly segments: number
  readonly events: number
  readonly seconds: number
}

/** What the journal tells of. */
export interface JournalObserver {
  /** A group commit is written: `events` in `seconds`. */
  committed(events: number, seconds: number): void
  /** A group commit is on the disk (fdatasync), which took `seconds`. */
  synced(seconds: number): void
  /**
   * The journal does not work, or still does not; or a part of its work failed that it goes on without.
   * @param error its `code` is the system's (`ENOSPC`), or that of errors.ts
   * @param during what was tried, from a bounded set: `open`, `write`, `fdatasync`, `heal`; of the parts that it goes on
   *   without `unlink`, `quarantine`, `compaction`, `read`, `recovery`
   */
  failed(error: NodeJS.ErrnoException | Error, during: string): void
  /** It works again; `rejournaled` events that were accepted in memory meanwhile are in it now. */
  healed(rejournaled: number): void
  /** Events were found at the start, which are pending now. */
  replayed(events: number): void
  /** The start has read what an earlier run left. */
  recovered(summary: RecoverySummary): void
  /** Damage was found. What is lost with it is told apart, as dropped. */
  quarantined(what: 'record' | 'segment', detail: QuarantineDetail): void
  /** Events were answered 200 from memory, since the journal fails. */
  bypassed(events: number): void
}
