import assert from 'node:assert/strict'
import type { Kafka, RecordFingerprint } from '../kafka/index.ts'
import { ADDED_HEADERS, type EventSource, REPLAYED_HEADER } from './events.ts'
import type { Issued } from './issued.ts'

/** What a comparison of everything issued with everything that arrived has shown. */
export interface Verdict {
  issued: number
  accepted: number
  refused: number
  /** Events whose sender got no answer: they may have arrived or not. */
  unanswered: number
  /** Distinct events that arrived. */
  arrived: number
  /** Answered 200 and not in Kafka. */
  lost: number[]
  /** In Kafka and never issued, as text. */
  foreign: string[]
  /** In Kafka and not as issued, as text. */
  altered: string[]
  /** Records beyond the first of an event. */
  duplicates: number
  /** Records that carry the header for having been found in the journal at a start. */
  replayed: number
  /** Records whose event was answered before another one was sent that stands in front of it in its partition. */
  outOfOrder: number
  /** Events that were not answered 200 and arrived all the same. */
  arrivedUnacknowledged: number
}

/** Reads everything in the source's topics and compares it with what was issued. */
export async function judge(kafka: Kafka, source: EventSource, issued: Issued): Promise<Verdict> {
  const verbatim = ['ce_id', 'ce_type', REPLAYED_HEADER]
  return compare(source, issued, await kafka.fingerprint(source.topics, { verbatim, ignored: ADDED_HEADERS }))
}

/** Compares records with what was issued. Records of one partition must be in the order of their offsets. */
export function compare(source: EventSource, issued: Issued, records: RecordFingerprint[]): Verdict {
  const arrived = new Set<number>()
  const foreign: string[] = []
  const altered: string[] = []
  const latest = new Map<string, number>()
  let replayed = 0
  let outOfOrder = 0
  for (const record of records) {
    const number = source.numberOf(record.verbatim['ce_id'], record.verbatim['ce_type'])
    if (number === undefined || number >= issued.count || issued.outcome(number) === 'never sent') {
      foreign.push(JSON.stringify(record))
      continue
    }
    const difference = differenceOf(record, source, number)
    if (difference !== undefined) altered.push(`event ${number}: ${difference}`)
    const mark = record.verbatim[REPLAYED_HEADER]
    if (mark === 'true') replayed++
    else if (mark !== undefined) altered.push(`event ${number}: ${REPLAYED_HEADER} is ${mark}`)
    if (arrived.has(number)) continue
    arrived.add(number)
    const partition = `${record.topic}/${record.partition}`
    const latestSent = latest.get(partition) ?? -Infinity
    if (issued.answeredAt(number) < latestSent) outOfOrder++
    latest.set(partition, Math.max(latestSent, issued.sentAt(number)))
  }
  const lost = [...issued.accepted()].filter(number => !arrived.has(number))
  return {
    issued: issued.count,
    accepted: issued.tally('accepted'),
    refused: issued.tally('refused'),
    unanswered: issued.tally('no answer'),
    arrived: arrived.size,
    lost,
    foreign,
    altered,
    duplicates: records.length - foreign.length - arrived.size,
    replayed,
    outOfOrder,
    arrivedUnacknowledged: arrived.size - (issued.tally('accepted') - lost.length)
  }
}

/** @throws {AssertionError} unless every accepted event arrived, every one that arrived was issued, and as it was issued */
export function assertPromiseKept(verdict: Verdict, context = ''): void {
  const { lost, foreign, altered } = verdict
  const numbers = { ...verdict, lost: lost.length, foreign: foreign.length, altered: altered.length }
  assert.deepEqual(
    { lost: lost.slice(0, 20), foreign: foreign.slice(0, 5), altered: altered.slice(0, 5) },
    { lost: [], foreign: [], altered: [] },
    `${context} ${JSON.stringify(numbers)}\nlost: ${lost.slice(0, 50).join()}\nforeign: ${foreign.slice(0, 5).join('\n')}\naltered: ${altered.slice(0, 5).join('\n')}`
  )
}

function differenceOf(record: RecordFingerprint, source: EventSource, number: number): string | undefined {
  const expected = source.expected(number)
  const names = ['topic', 'key', 'length', 'value', 'headers'] as const
  const wrong = names.filter(name => record[name] !== expected[name])
  if (wrong.length === 0) return undefined
  return wrong.map(name => `${name} is ${record[name]} instead of ${expected[name]}`).join(', ')
}
