import { recognise, textOf } from '../tail/recognise.ts'
import type { ConsumedRecord } from '../tail/record.ts'
import type { CapturedRequest } from './captured.ts'

/** What of an event identifies it, and its payload. */
export type ExpectedEvent = Pick<CapturedRequest, 'name' | 'id' | 'type' | 'body'>

/** Compares what was sent with what arrived. */
export class Arrivals {
  readonly #expected: readonly ExpectedEvent[]
  readonly #bodies = new Map<string, Buffer[]>()

  constructor(expected: readonly ExpectedEvent[]) {
    this.#expected = expected
  }

  /** Notes a record; one that was not expected is no mistake. */
  add(record: ConsumedRecord): void {
    const event = recognise(record)
    const key = keyOf(textOf(event, 'id') ?? '', textOf(event, 'type') ?? '')
    const bodies = this.#bodies.get(key)
    // A null value is not an empty body: nothing equals it.
    const body = event.data ?? NULL
    if (bodies === undefined) this.#bodies.set(key, [body])
    else bodies.push(body)
  }

  /** Events that have not arrived. */
  get missing(): ExpectedEvent[] {
    return this.#expected.filter(({ id, type }) => !this.#bodies.has(keyOf(id, type)))
  }

  /** Events of which something arrived that is not, byte for byte, what was sent. */
  get altered(): ExpectedEvent[] {
    return this.#expected.filter(({ id, type, body }) =>
      this.#bodies.get(keyOf(id, type))?.some(one => one === NULL || !one.equals(body))
    )
  }
}

const NULL = Buffer.alloc(0)

function keyOf(id: string, type: string): string {
  return JSON.stringify([id, type])
}
