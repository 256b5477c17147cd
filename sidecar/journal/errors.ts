/** Another process owns the directory: two writers would destroy each other's journal. Ends the start. */
export class JournalInUseError extends Error {
  readonly code = 'JOURNAL_IN_USE'
}

/** The directory holds a journal that a newer release wrote. It stays untouched. */
export class JournalVersionError extends Error {
  readonly code = 'JOURNAL_VERSION'
}

/** A segment has fewer bytes than were written to it. */
export class JournalShortError extends Error {
  readonly code = 'JOURNAL_SHORT'
}
