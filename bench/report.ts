import { median } from './histogram.ts'
import type { Round } from './measure.ts'

/** All that was measured of one sink; the warm-up is not in it. */
export interface SinkFigures {
  name: string
  rounds: Round[]
  readyMs: number[]
  peakRssBytes: number
}

/** One line of the report; ratios are medians of the rounds' ratios to bare node:http in the same round. */
export interface Summary {
  name: string
  eventsPerSecond: number
  cpuUsPerEvent: number
  p50Ms: number
  p99Ms: number
  drainMs: number
  peakRssMiB: number
  readyMs: number
  throughputRatio: number
  cpuRatio: number
}

/** @param floor bare node:http, the denominator of the ratios */
export function summarize(figures: SinkFigures, floor: SinkFigures): Summary {
  const of = (pick: (round: Round) => number) => median(figures.rounds.map(pick))
  const ratio = (pick: (round: Round) => number) =>
    median(figures.rounds.map((round, index) => pick(round) / pick(floor.rounds[index] ?? round)))
  return {
    name: figures.name,
    eventsPerSecond: of(round => round.eventsPerSecond),
    cpuUsPerEvent: of(round => round.cpuUsPerEvent),
    p50Ms: of(round => round.p50Ms),
    p99Ms: of(round => round.p99Ms),
    drainMs: of(round => round.drainMs),
    peakRssMiB: figures.peakRssBytes / 1024 / 1024,
    readyMs: median(figures.readyMs),
    throughputRatio: ratio(round => round.eventsPerSecond),
    cpuRatio: ratio(round => round.cpuUsPerEvent)
  }
}

/** Lays rows out in columns: the first to the left, the others to the right. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)))
  return rows
    .map(row => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))))
    .map(cells => cells.join('  '))
    .join('\n')
}

/**
 * The report as text.
 *
 * @param cpuGoal the CPU ratio that the sidecar is to stay below, if there is one for its durability
 */
export function printable(summaries: Summary[], cpuGoal: number | undefined): string {
  const head = [
    '',
    'events/s',
    'CPU us/event',
    'p50 ms',
    'p99 ms',
    'drain ms',
    'peak MiB',
    'ready ms',
    'rate ratio',
    'CPU ratio'
  ]
  const rows = summaries.map(one => [
    one.name,
    one.eventsPerSecond.toFixed(0),
    one.cpuUsPerEvent.toFixed(1),
    one.p50Ms.toFixed(2),
    one.p99Ms.toFixed(2),
    one.drainMs.toFixed(0),
    one.peakRssMiB.toFixed(0),
    one.readyMs.toFixed(0),
    one.throughputRatio.toFixed(2),
    one.cpuRatio.toFixed(2)
  ])
  const sidecar = summaries.find(({ name }) => name.startsWith('sidecar'))
  const lines = [table([head, ...rows])]
  if (sidecar && cpuGoal !== undefined) {
    const verdict = sidecar.cpuRatio <= cpuGoal ? 'reached' : 'MISSED'
    lines.push(
      `CPU per event, sidecar to bare node:http: ${sidecar.cpuRatio.toFixed(2)}; goal <= ${cpuGoal}: ${verdict}`
    )
  }
  return lines.join('\n')
}
