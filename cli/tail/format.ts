import type { Colours } from './colours.ts'
import type { Latency } from './pairs.ts'
import { showPayload } from './payload.ts'
import { textOf, type LoggedEvent } from './recognise.ts'
import type { ConsumedRecord } from './record.ts'
import { formatBytes, formatDuration, parseTime } from './units.ts'
import { cut, visible, widthOf } from './visible.ts'

/** How events are shown. */
export interface Style {
  readonly colours: Colours
  /** Width that payloads are cut to; Infinity: they are shown whole. */
  readonly columns: number
  /** Says where each record is; of use where more than one topic is followed. */
  readonly showPosition: boolean
}

/** An event with all that its lines depend on. */
export interface Shown {
  readonly record: Pick<ConsumedRecord, 'topic' | 'partition' | 'offset' | 'timestamp'>
  readonly event: LoggedEvent
  /** Of the pair that this event completes. */
  readonly latency: Latency | 'unknown' | undefined
}

const INDENT = ' '.repeat(14)
/** Names are chosen by others: at most that many columns of a line. */
const MAX_NAME = 48

/** When an event happened: `date` and `time` of day, UTC. */
export function momentOf({ record, event }: Omit<Shown, 'latency'>): { date: string; time: string } | undefined {
  const ns = parseTime(textOf(event, 'time') ?? '')
  const ms = ns === undefined ? record.timestamp : Number(ns / 1_000_000n)
  if (ms === undefined) return undefined
  const text = new Date(ms).toISOString()
  return { date: text.slice(0, -14), time: text.slice(-13, -1) }
}

/**
 * Writes an event as two lines: what it is, and its payload. A pure function; nothing in an event can drive the terminal.
 * @returns lines with their ends
 */
export function formatEvent(shown: Shown, style: Style): string {
  const { event, record } = shown
  const { colours } = style
  const head = [
    colours.dim(momentOf(shown)?.time ?? '--:--:--.---'),
    labelOf(event, colours),
    colours.bold(nameOf(event)),
    colours.dim(shortId(textOf(event, 'id') ?? '')),
    formatBytes(event.data?.length ?? 0).padStart(7),
    latencyText(shown, colours),
    style.showPosition ? colours.dim(`${visible(record.topic)}[${record.partition}]@${record.offset}`) : ''
  ]
  return `${head.filter(part => part !== '').join('  ')}\n${INDENT}${payloadLine(event, style)}\n`
}

function labelOf({ kind, attributes }: LoggedEvent, colours: Colours): string {
  switch (kind) {
    case 'request':
      return colours.cyan('→ request ')
    case 'response':
      return colours.green('← response')
    case 'other': {
      const type = textOf({ attributes }, 'type')
      return colours.yellow(`• ${type === undefined ? 'record  ' : cut(visible(type), MAX_NAME)}`)
    }
  }
}

function nameOf(event: LoggedEvent): string {
  const service = textOf(event, 'inferenceservicename') ?? ''
  const component = textOf(event, 'component') ?? ''
  return cut(visible(component === '' ? service : `${service}/${component}`), MAX_NAME)
}

/** Enough of an id to tell it from its neighbours: the first group of a UUID, both ends of anything long. */
function shortId(id: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(id)) return id.slice(0, 8)
  return visible(id.length <= 16 ? id : `${id.slice(0, 7)}…${id.slice(-8)}`.toWellFormed())
}

function latencyText({ event, latency }: Shown, colours: Colours): string {
  if (latency === undefined || latency === 'unknown') return ''
  const time = `${latency.approximate ? 'about ' : ''}${formatDuration(latency.ms)}`
  return colours.yellow(event.kind === 'response' ? `after ${time}` : `was answered after ${time}`)
}

function payloadLine({ data, contentType }: LoggedEvent, { colours, columns }: Style): string {
  const { note, text } = showPayload(data, contentType, columns)
  const prefix = note === '' ? '' : `(${note})${text === '' ? '' : ' '}`
  const room = Math.max(16, columns - INDENT.length - widthOf(prefix))
  return colours.dim(prefix) + cut(visible(text), room)
}
