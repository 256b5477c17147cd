import type { DeadLetterObserver } from './dead-letters/observer.ts'
import { diskAdvice } from './disk-advice.ts'
import type { Report } from './journal-observer.ts'
import type { KafkaError } from './kafka/errors.ts'
import { count, type Ledger } from './metrics/ledger.ts'

/** Turns what happens to dead letters into counts and log lines. */
export class DeadLetterObservers implements DeadLetterObserver {
  readonly #ledger: Ledger
  readonly #report: Report

  constructor(ledger: Ledger, report: Report) {
    this.#ledger = ledger
    this.#report = report
  }

  failed(error: NodeJS.ErrnoException | Error, waiting: number, lost: number): void {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    const consequence =
      lost > 0 ? 'the refused event is dropped' : 'refused events stay pending until they can be written'
    const message = `dead letters cannot be written (${error.message})${diskAdvice(code)}; ${consequence}`
    this.#report('error', `dead letters ${code}`, { code, waiting, lost }, message)
  }

  discarded(letters: number): void {
    this.#ledger.deadLettersDiscarded += letters
    this.#report(
      'warn',
      'dead letters discarded',
      { letters },
      'the oldest dead letters were deleted for new ones: replay them in time, or raise INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES'
    )
  }

  noted(): void {
    count(this.#ledger.deadLetterTopicRecords, 'delivered')
  }

  noteRefused({ code, message, name }: KafkaError): void {
    count(this.#ledger.deadLetterTopicRecords, 'failed')
    this.#report(
      'error',
      `dead letter topic ${name}`,
      { code, error: message },
      'the dead letter topic refuses a note; the event is kept in the file'
    )
  }

  noteDelayed({ code, message, name }: KafkaError): void {
    this.#report(
      'warn',
      `dead letter topic delayed ${name}`,
      { code, error: message },
      'the dead letter topic does not take a note yet; it is tried again'
    )
  }

  notesSkipped(notes: number): void {
    count(this.#ledger.deadLetterTopicRecords, 'skipped', notes)
    this.#report(
      'warn',
      'dead letter topic skipped',
      { notes },
      'notes for the dead letter topic were skipped; the events are kept in the files'
    )
  }
}
