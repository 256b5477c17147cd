import type { KafkaError } from '../kafka/errors.ts'

/** What the dead letters tell of. */
export interface DeadLetterObserver {
  /**
   * Dead letters could not be written.
   * @param waiting events that stay pending until they can be
   * @param lost events that are given up instead: without a journal nothing else is to be done
   */
  failed(error: NodeJS.ErrnoException | Error, waiting: number, lost: number): void
  /** Dead letters were deleted to make room for newer ones. */
  discarded(letters: number): void
  /** A note is in the dead letter topic. */
  noted(): void
  /** A note cannot be delivered to the dead letter topic. The file has the event. */
  noteRefused(error: KafkaError): void
  /** A note could not be delivered yet; it is tried again. */
  noteDelayed(error: KafkaError): void
  /** Notes were not sent, since too many wait already or the process ends. */
  notesSkipped(notes: number): void
}
