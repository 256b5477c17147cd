import { formatEvent, momentOf, type Style } from './format.ts'
import { Pairs } from './pairs.ts'
import { recognise } from './recognise.ts'
import type { ConsumedRecord } from './record.ts'

/** Prints records for a person; remembers what spans several: the requests that wait for a response, and the day. */
export class Printer {
  readonly #style: () => Style
  readonly #pairs = new Pairs()
  #date: string | undefined

  /** @param style asked for each record: a terminal's width changes */
  constructor(style: () => Style) {
    this.#style = style
  }

  /** @returns the record's lines, after a line with the date where that changes */
  print(record: ConsumedRecord): string {
    const style = this.#style()
    const event = recognise(record)
    const date = momentOf({ record, event })?.date
    const lines = formatEvent({ record, event, latency: this.#pairs.add(event) }, style)
    if (date === undefined || date === this.#date) return lines
    this.#date = date
    return `${style.colours.dim(`${date} (UTC)`)}\n${lines}`
  }
}
