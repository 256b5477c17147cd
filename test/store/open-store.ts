import type { TestContext } from 'node:test'
import type { JournalOptions } from '../../sidecar/journal/journal.ts'
import { JournalStore, type JournalStoreOptions } from '../../sidecar/store/journal-store.ts'
import type { AcceptedEvent, AppendOutcome, StoredEvent } from '../../sidecar/store/store.ts'
import { eventOf } from '../journal/arbitraries.ts'
import type { FaultyFileSystem } from '../journal/faulty-file-system.ts'
import { optionsFor, turns, until } from '../journal/open-journal.ts'

/** A store on a journal, and what it told. */
export interface OpenStore {
  readonly store: JournalStore
  readonly fs: FaultyFileSystem
  readonly clock: { ms: number }
  readonly told: string[]
  /** Events that the store gave up, by reason. */
  readonly dropped: Record<string, number>
}

/** Timers are the test's from here on: {@link seconds}. The store is closed in the end. */
export function openStore(
  t: TestContext,
  directory: string,
  options: Partial<Omit<JournalStoreOptions, 'journal'>> & { journal?: Partial<JournalOptions> } = {}
): OpenStore {
  const journal = optionsFor(directory, options.journal)
  const store = new JournalStore({
    memoryMaxBytes: 16 * 1024 * 1024,
    whenFull: 'reject',
    whenJournalFails: 'memory',
    ackTimeoutMs: undefined,
    ...options,
    journal
  })
  const dropped: Record<string, number> = {}
  store.onDropped = (reason, events) => (dropped[reason] = (dropped[reason] ?? 0) + events)
  t.after(async () => {
    journal.fs.heal()
    journal.fs.letGo()
    await store.close()
  })
  return {
    store,
    fs: journal.fs,
    clock: journal.clock,
    told: (journal.observer as { told?: string[] }).told ?? [],
    dropped
  }
}

/** The timers go on by so many seconds, and what that sets off is done. */
export async function seconds(t: TestContext, count = 1): Promise<void> {
  for (let second = 0; second < count; second++) {
    t.mock.timers.tick(1000)
    await turns()
  }
}

type EventOptions = Parameters<typeof eventOf>[1]

/** Appends events, which their numbers tell apart, in one request. */
export function append(
  store: JournalStore,
  numbers: readonly number[],
  options: EventOptions = {}
): Promise<AppendOutcome> {
  const events: AcceptedEvent[] = numbers.map(number => eventOf(number, options))
  return new Promise(resolve => store.append(events, resolve))
}

/** Appends each in a request of its own, one after the other. */
export async function appendEach(
  store: JournalStore,
  numbers: readonly number[],
  options: EventOptions = {}
): Promise<AppendOutcome[]> {
  const outcomes: AppendOutcome[] = []
  for (const number of numbers) outcomes.push(await append(store, [number], options))
  return outcomes
}

/** The numbers from one to another. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** The number of an event. */
export function numberOf({ event }: AcceptedEvent): number {
  return Number(event.attributes.find(({ name }) => name === 'id')?.value)
}

export function numbersOf(events: readonly AcceptedEvent[]): number[] {
  return events.map(numberOf)
}

/** Takes so many events of a topic, in the order in which they are handed out; waits for those that have to be read. */
export async function take(store: JournalStore, count: number, topic = 'a-topic'): Promise<StoredEvent[]> {
  const taken: StoredEvent[] = []
  await until(() => {
    for (const queue of store.queues()) {
      if (queue.topic !== topic) continue
      for (let next = queue.peek(); next !== undefined && taken.length < count; next = queue.peek()) {
        queue.take()
        taken.push(next)
      }
    }
    return taken.length >= count
  }, `event ${count} of ${topic}`)
  return taken
}

/** Takes so many events, as they are handed out, and releases each. */
export async function deliver(store: JournalStore, count: number, topic = 'a-topic'): Promise<StoredEvent[]> {
  const delivered: StoredEvent[] = []
  while (delivered.length < count) {
    const [next] = await take(store, 1, topic)
    if (next === undefined) break
    store.release(next)
    delivered.push(next)
  }
  return delivered
}
