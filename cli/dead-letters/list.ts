import { attribute } from '../../sidecar/cloudevents/event.ts'
import type { DeadLetter } from '../../sidecar/dead-letters/letter.ts'
import { letterFiles, linesOf, readLetterFile, type LetterLine } from '../../sidecar/dead-letters/read.ts'
import { formatBytes } from '../tail/units.ts'
import { visible, widthOf } from '../tail/visible.ts'
import { idOf } from './selection.ts'

/** A dead letter without its data, and the file that it is in. */
export interface Listed {
  readonly file: string
  readonly letter: DeadLetter
  /** Of the data, in bytes. */
  readonly size: number
}

/** What a folder of dead letters holds. */
export interface Listing {
  readonly letters: readonly Listed[]
  /** Files, and their size together. */
  readonly files: number
  readonly bytes: number
  /** Lines that are no dead letters, by what is wrong with them. */
  readonly problems: ReadonlyMap<string, number>
}

/** Reads everything. Changes nothing, also where a sidecar writes. */
export async function readListing(folder: string, isMeant: (letter: DeadLetter) => boolean): Promise<Listing> {
  const letters: Listed[] = []
  const problems = new Map<string, number>()
  const names = await letterFiles(folder)
  let bytes = 0
  for (const file of names) {
    const content = await readLetterFile(folder, file)
    bytes += content.length
    for (const { content: letter } of linesOf(content)) {
      if (typeof letter === 'string') problems.set(letter, (problems.get(letter) ?? 0) + 1)
      else if (isMeant(letter)) letters.push({ file, letter: withoutData(letter), size: letter.event.data.length })
    }
  }
  return { letters, files: names.length, bytes, problems }
}

/** A listing of thousands of them would take what the limit of the files is. */
function withoutData(letter: DeadLetter): DeadLetter {
  return { ...letter, event: { attributes: letter.event.attributes, data: Buffer.alloc(0) } }
}

const HEAD = ['REFUSED', 'REASON', 'TOPIC', 'ID', 'TYPE', 'SIZE', 'ERROR']

/** A table, a line a dead letter. What a sender chose is made safe to print. */
export function table(letters: readonly Listed[]): string {
  const rows = letters.map(({ letter, size }) =>
    [
      new Date(letter.refusedAt).toISOString(),
      letter.reason,
      letter.topic,
      idOf(letter),
      String(attribute(letter.event, 'type') ?? ''),
      formatBytes(size),
      letter.error?.message ?? ''
    ].map(visible)
  )
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map(row => widthOf(row[column] ?? ''))))
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))).join('  ')
  return [HEAD, ...rows].map(row => `${line(row).trimEnd()}\n`).join('')
}

/** What a line's problem means to a person. */
const PROBLEMS: Readonly<Record<Exclude<LetterLine['content'], DeadLetter>, string>> = {
  damaged: 'damaged, and left alone',
  newer: 'written by a later release, and left alone',
  torn: 'not complete: its writer was interrupted, and the event stayed in the journal'
}

/** The lines under a table. */
export function totals({ letters, files, bytes, problems }: Listing, folder: string): string {
  const data = letters.reduce((sum, { size }) => sum + size, 0)
  const count = `${plural(letters.length, 'dead letter')}, ${formatBytes(data)} of data`
  const where = `${plural(files, 'file')} (${formatBytes(bytes)}) in ${folder}`
  const odd = [...problems].map(
    ([problem, n]) => `${plural(n, 'line')}: ${PROBLEMS[problem as keyof typeof PROBLEMS]}\n`
  )
  return `${count}, in ${where}\n${odd.join('')}`
}

/** `1 file`, `2 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A dead letter as one object for scripts; the files have the data. */
export function jsonLine({ file, letter, size }: Listed): string {
  const { event, refusedAt, receivedAt, reason, error, topic, record } = letter
  return `${JSON.stringify({
    time: new Date(refusedAt).toISOString(),
    reason,
    error: error ?? null,
    topic,
    receivedTime: new Date(receivedAt).toISOString(),
    format: record.format,
    attributes: event.attributes,
    size,
    file
  })}\n`
}
