import type { EventStore, StoredEvent } from '../../sidecar/store/store.ts'

/** Takes everything that can be taken now, of all topics, and returns it in the order of acceptance. */
export function takeAll(store: EventStore): StoredEvent[] {
  const all: StoredEvent[] = []
  for (const queue of store.queues()) {
    for (let stored = queue.peek(); stored !== undefined; stored = queue.peek()) {
      queue.take()
      all.push(stored)
    }
  }
  return all.sort((a, b) => a.sequence - b.sequence)
}
