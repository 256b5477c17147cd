import type { Colours } from '../tail/colours.ts'
import { formatDuration } from '../tail/units.ts'
import type { ExpectedEvent } from './arrivals.ts'
import type { CapturedRequest } from './captured.ts'
import type { Answer } from './replay.ts'
import type { Samples } from './scrape.ts'

/** A section's heading, with an empty line before it. */
export function heading(number: number, text: string, { bold }: Colours): string {
  return `${number === 1 ? '' : '\n'}${bold(`${number}. ${text}`)}\n`
}

/** Lines of a section. */
export function indented(lines: readonly string[]): string {
  return lines.map(line => (line === '' ? '\n' : `   ${line}\n`)).join('')
}

/** What of a request's head tells a newcomer what it is. */
const TELLING = /^(?:POST |ce-(?:id|inferenceservicename|time|type):|content-type:)/i

/** A captured request as it goes over the wire, without the headers that say little. */
export function excerpt({ raw, body }: CapturedRequest, { dim, cyan }: Colours): string[] {
  const head = raw
    .toString('utf8', 0, raw.length - body.length)
    .split('\r\n')
    .filter(line => line !== '')
  const shown = head.filter(line => TELLING.test(line))
  return [...shown.map(cyan), dim(`… ${head.length - shown.length} more headers`), '', cyan(body.toString('utf8'))]
}

/** The versions of KServe in the names of captured requests: `v0.11.2, v0.15.2 and v0.20`. */
export function versionsOf(captured: readonly CapturedRequest[]): string {
  const versions = [
    ...new Set(captured.map(({ name }) => /v[\d.]+\d/.exec(name)?.[0]).filter(one => one !== undefined))
  ]
  return versions.join(', ').replace(/, ([^,]*)$/, ' and $1')
}

/** What became of the requests. */
export function answersText(answers: readonly Answer[], { green, red }: Colours): string {
  const good = answers.filter(({ status }) => status === 200).length
  const slowest = formatDuration(Math.max(...answers.map(({ ms }) => ms)))
  const text = `${good} of ${answers.length} were answered 200, the slowest after ${slowest}.`
  return good === answers.length ? green(text) : red(text)
}

/** Counters and gauges that moved between two scrapes, and the pending events, which should be 0 again. */
export function movedMetrics(before: Samples, after: Samples, { bold }: Colours): string[] {
  const moved = [...after]
    .filter(([name]) => /^inference_logger_(?!.*_(?:bucket|sum|count|seconds)(?:\{|$))/.test(name))
    .map(([name, now]) => ({ name, was: before.get(name) ?? 0, now }))
    .filter(({ name, was, now }) => was !== now || name === 'inference_logger_events_pending')
  const width = Math.max(...moved.map(({ name }) => name.length))
  return moved.map(({ name, was, now }) => `${name.padEnd(width)}  ${was} → ${bold(String(now))}`)
}

/** What the check found. */
export interface Findings {
  readonly sent: number
  readonly refused: number
  readonly missing: readonly ExpectedEvent[]
  readonly altered: readonly ExpectedEvent[]
  /** ms that were waited at most. */
  readonly waitedMs: number
  /** The sidecar's last error. */
  readonly lastError: string | undefined
}

/** Whether every event arrived as it was sent. */
export function isGood({ refused, missing, altered }: Findings): boolean {
  return refused === 0 && missing.length === 0 && altered.length === 0
}

/** The verdict, one sentence a finding, each event that is not right by name. */
export function verdict(findings: Findings, { green, red, dim }: Colours): string[] {
  const { sent, refused, missing, altered, waitedMs, lastError } = findings
  if (isGood(findings)) return [green(`✔ All ${sent} events arrived: the same ids, the same types, the same bytes.`)]
  const list = (events: readonly ExpectedEvent[]): string[] =>
    events.slice(0, MAX_LISTED).map(({ name, id }) => dim(`  ${id} (${name})`))
  const lines: string[] = []
  if (refused > 0) lines.push(red(`✘ ${refused} of ${sent} events were not answered 200.`))
  if (missing.length > 0)
    lines.push(
      red(`✘ ${missing.length} of ${sent} events did not arrive within ${formatDuration(waitedMs)}:`),
      ...list(missing)
    )
  if (altered.length > 0)
    lines.push(
      red(`✘ ${altered.length} of ${sent} events did not arrive with the bytes that were sent:`),
      ...list(altered)
    )
  if (lastError !== undefined) lines.push(`The sidecar says: ${lastError}`)
  return lines
}

const MAX_LISTED = 20

/** A command to paste that sends an event, as a person would write it. */
export function curlCommand(address: string, inferenceService: string): string[] {
  return [
    `curl -i http://${address}/ -H 'ce-specversion: 1.0' -H "ce-id: mine-$RANDOM" -H 'ce-source: curl' \\`,
    `  -H 'ce-type: org.kubeflow.serving.inference.request' -H "ce-time: $(date -u +%FT%TZ)" \\`,
    `  -H 'ce-inferenceservicename: ${inferenceService}' -H 'content-type: application/json' \\`,
    `  -d '{"instances":[[6.8,2.8,4.8,1.4]]}'`
  ]
}
