import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Journal, type JournalOptions } from '../../sidecar/journal/journal.ts'
import type { JournalRecord } from '../../sidecar/journal/batch.ts'
import type { JournalObserver } from '../../sidecar/journal/observer.ts'
import type { RecoveredRecord } from '../../sidecar/journal/recovery.ts'
import { scanSegment } from '../../sidecar/journal/scan.ts'
import { eventOf } from './arbitraries.ts'
import { FaultyFileSystem } from './faulty-file-system.ts'

/** An empty directory that ends with the test. */
export function directoryFor(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'inference-logger-journal-'))
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** What a journal tells, as lines: `failed write ENOSPC`. */
export function recordingObserver(): JournalObserver & { readonly told: string[] } {
  const told: string[] = []
  return {
    told,
    committed: events => void told.push(`committed ${events}`),
    synced: () => void told.push('synced'),
    failed: (error, during) => void told.push(`failed ${during} ${'code' in error ? error.code : error.message}`),
    healed: events => void told.push(`healed ${events}`),
    replayed: events => void told.push(`replayed ${events}`),
    recovered: ({ events }) => void told.push(`recovered ${events}`),
    quarantined: what => void told.push(`quarantined ${what}`),
    bypassed: events => void told.push(`bypassed ${events}`)
  }
}

let runs = 0

/** What to open a journal with; times come from `clock.ms`. */
export function optionsFor(
  directory: string,
  options: Partial<JournalOptions> = {}
): JournalOptions & { readonly clock: { ms: number }; readonly fs: FaultyFileSystem } {
  const clock = { ms: 1000 }
  return {
    clock,
    directory,
    maxBytes: 1024 * 1024,
    segmentBytes: 16 * 1024,
    fsync: false,
    syncNames: false,
    lock: () => () => {},
    observer: recordingObserver(),
    run: (++runs).toString(16).padStart(16, '0'),
    now: () => clock.ms,
    ...options,
    fs: (options.fs as FaultyFileSystem | undefined) ?? new FaultyFileSystem()
  }
}

/** An open journal, which is closed in the end. Timers are the test's: `t.mock.timers.tick(1000)`. */
export function openJournal(
  t: TestContext,
  directory: string,
  options: Partial<JournalOptions> = {}
): { journal: Journal; fs: FaultyFileSystem; clock: { ms: number }; told: string[] } {
  const all = optionsFor(directory, options)
  const journal = Journal.open(all)
  t.after(async () => {
    all.fs.letGo()
    await journal.close()
  })
  return { journal, fs: all.fs, clock: all.clock, told: (all.observer as { told?: string[] }).told ?? [] }
}

/** A record with the journal's next sequence, of an event whose number is that. */
export function recordFor(journal: Journal, options: Parameters<typeof eventOf>[1] = {}): JournalRecord {
  const sequence = journal.nextSequence()
  return { ...eventOf(sequence, options), sequence, segment: undefined, offset: 0, size: 0 }
}

/** Resolves when the records are as safe as the journal makes them. */
export function written(journal: Journal, ...records: readonly JournalRecord[]): Promise<void> {
  return new Promise((resolve, reject) =>
    journal.append(records, error => (error === undefined ? resolve() : reject(error)))
  )
}

/** So many records, each written in a turn of its own. */
export async function writeRecords(
  journal: Journal,
  count: number,
  options: Parameters<typeof eventOf>[1] = {}
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = []
  for (let i = 0; i < count; i++) {
    const record = recordFor(journal, options)
    await written(journal, record)
    records.push(record)
  }
  return records
}

/** What a journal finds of earlier runs. */
export async function recovered(journal: Journal): Promise<RecoveredRecord[]> {
  const records: RecoveredRecord[] = []
  await journal.recover(record => records.push(record))
  return records
}

export function sequencesOf(records: readonly { sequence: number }[]): number[] {
  return records.map(({ sequence }) => sequence)
}

/** Names of the segments in a directory, without zeros and suffix. */
export function segmentsIn(directory: string, suffix = '.journal'): number[] {
  return fs
    .readdirSync(directory)
    .filter(name => name.endsWith(suffix))
    .map(name => Number(name.slice(0, -suffix.length)))
    .sort((a, b) => a - b)
}

/** Sequences of the whole records that the files in a directory hold, released or not, in the order of the files. */
export function sequencesIn(directory: string): number[] {
  const sequences: number[] = []
  for (const name of fs.readdirSync(directory).sort()) {
    if (!name.endsWith('.journal')) continue
    let bytes: Buffer
    try {
      bytes = fs.readFileSync(join(directory, name))
    } catch {
      // It was being removed.
      continue
    }
    scanSegment(bytes, ({ sequence }) => sequences.push(sequence))
  }
  return sequences
}

/** Waits, through turns of the event loop, until something is so. */
export async function until(condition: () => boolean, what = 'what was waited for'): Promise<void> {
  const start = performance.now()
  while (!condition()) {
    if (performance.now() - start > 10_000) throw new Error(`${what} never came`)
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Some turns of the event loop. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** Size of all files in a directory. */
export function bytesIn(directory: string): number {
  return fs
    .readdirSync(directory)
    .reduce((sum, name) => sum + (fs.statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}
