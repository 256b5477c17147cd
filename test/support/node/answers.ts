import { get } from 'node:http'
import { createInterface } from 'node:readline'
import type { AnsweredEvent } from './stand-ins/answered-event.ts'

/** One event: a prediction's request and its response share an id. */
export function eventKey(id: string, type: string): string {
  return `${id} ${type}`
}

/** What the stand-in agent says about the events that it sent, from its start until it ends. */
export class Answers {
  /** Keys of the events that were answered 200. */
  readonly acknowledged = new Set<string>()
  /** Keys of the events that were answered otherwise, with the status, or not at all: 0. */
  readonly refused = new Map<string, number>()
  /** Resolves when the agent has ended. */
  readonly ended: Promise<void>

  /** @param url where the agent says it */
  constructor(url: string) {
    this.ended = new Promise(resolve => {
      const request = get(url, { agent: false }, response => {
        response.on('error', () => resolve())
        const lines = createInterface({ input: response, crlfDelay: Infinity })
        lines.on('line', line => this.#note(JSON.parse(line) as AnsweredEvent))
        lines.on('error', () => resolve())
        lines.on('close', () => resolve())
      })
      request.on('error', () => resolve())
    })
  }

  /** All that were sent. */
  get count(): number {
    return this.acknowledged.size + this.refused.size
  }

  #note({ id, type, status }: AnsweredEvent): void {
    if (status === 200) this.acknowledged.add(eventKey(id, type))
    else this.refused.set(eventKey(id, type), status)
  }
}
