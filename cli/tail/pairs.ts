import { createHash } from 'node:crypto'
import { textOf, type LoggedEvent } from './recognise.ts'
import { parseTime } from './units.ts'

/** How long a model took to answer, from the times of both events. */
export interface Latency {
  readonly ms: number
  /** KServe up to 0.17 writes when it sent an event, later ones when the request came and the answer was complete. */
  readonly approximate: boolean
}

interface Waiting {
  readonly kind: LoggedEvent['kind']
  readonly time: bigint | undefined
  readonly exact: boolean
}

/** Ids that wait for the other half: requests that failed never get one. */
const MAX_WAITING = 10_000

/** A client chooses the id, so that it can have any length: longer ones are kept as their hash. */
const MAX_KEY = 200

/**
 * Brings requests and responses together. Either may come first, ids may repeat, and many requests are never answered:
 * each event is in at most one pair, and the oldest that wait are forgotten when there are too many.
 */
export class Pairs {
  readonly #max: number
  readonly #waiting = new Map<string, Waiting>()

  /** @param max how many events may wait for their other half */
  constructor(max: number = MAX_WAITING) {
    this.#max = max
  }

  /** How many events wait. */
  get size(): number {
    return this.#waiting.size
  }

  /**
   * Notes an event.
   * @returns what the pair says when this event completes one: its latency, or `unknown` when the times do not tell;
   *   undefined when the other half has not come
   */
  add(event: LoggedEvent): Latency | 'unknown' | undefined {
    const id = textOf(event, 'id')
    if (event.kind === 'other' || id === undefined) return undefined
    const key = keyOf(event, id)
    const other = this.#waiting.get(key)
    const own = {
      kind: event.kind,
      time: parseTime(textOf(event, 'time') ?? ''),
      exact: textOf(event, 'recordedtime') !== undefined
    }
    if (other !== undefined && other.kind !== own.kind) {
      this.#waiting.delete(key)
      return own.kind === 'response' ? latency(other, own) : latency(own, other)
    }
    // The same half again is a repetition: the first one counts, and has waited for longest.
    if (other === undefined) this.#wait(key, own)
    return undefined
  }

  #wait(key: string, own: Waiting): void {
    if (this.#waiting.size >= this.#max) {
      const [oldest] = this.#waiting.keys()
      if (oldest !== undefined) this.#waiting.delete(oldest)
    }
    this.#waiting.set(key, own)
  }
}

/** A transformer and its predictor may report the same id: the component belongs to it. */
function keyOf(event: LoggedEvent, id: string): string {
  const key = JSON.stringify([
    textOf(event, 'namespace'),
    textOf(event, 'inferenceservicename'),
    textOf(event, 'component'),
    id
  ])
  return key.length <= MAX_KEY ? key : createHash('sha256').update(key).digest('base64')
}

function latency(request: Waiting, response: Waiting): Latency | 'unknown' {
  if (request.time === undefined || response.time === undefined) return 'unknown'
  const ms = Number(response.time - request.time) / 1e6
  // Times of sending can be in the wrong order: then they say nothing about the model.
  return ms < 0 ? 'unknown' : { ms, approximate: !request.exact || !response.exact }
}
