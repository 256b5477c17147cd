import { attribute } from '../../sidecar/cloudevents/event.ts'
import type { DeadLetter } from '../../sidecar/dead-letters/letter.ts'

/** Which dead letters are meant; what is undefined says nothing. */
export interface Selection {
  readonly ids: readonly string[] | undefined
  readonly reason: string | undefined
}

/** The `id` of the event. */
export function idOf({ event }: DeadLetter): string {
  return String(attribute(event, 'id') ?? '')
}

/** Whether a dead letter is meant. */
export function isSelected(letter: DeadLetter, { ids, reason }: Selection): boolean {
  return (ids?.includes(idOf(letter)) ?? true) && (reason === undefined || letter.reason === reason)
}
