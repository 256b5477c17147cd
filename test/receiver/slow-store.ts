import assert from 'node:assert/strict'
import type { AcceptedEvent, AppendOutcome, EventStore } from '../../sidecar/store/store.ts'

/** A store whose outcomes a test gives, one append at a time; nothing can be taken from it. */
export class SlowStore implements EventStore {
  /** What was appended and not answered, oldest first. */
  readonly open: { readonly events: readonly AcceptedEvent[]; readonly done: (outcome: AppendOutcome) => void }[] = []
  onAccepted: (events: readonly AcceptedEvent[]) => void = () => {}
  onAvailable = (): void => {}
  onDropped = (): void => {}
  readonly pendingEvents = 0
  readonly volatileEvents = 0
  readonly pendingBytes = 0
  readonly limitBytes = 0

  append(events: readonly AcceptedEvent[], done: (outcome: AppendOutcome) => void): void {
    this.open.push({ events, done })
  }

  queues(): [] {
    return []
  }

  release(): void {}

  oldestReceivedAt(): undefined {
    return undefined
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Resolves when so many appends wait for their outcome. */
  async holds(count: number): Promise<void> {
    for (let waited = 0; this.open.length < count; waited += 5) {
      assert.ok(waited < 5000, `${this.open.length} appends and not ${count}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  /** Answers the oldest append, or the one at `index`. */
  answer(outcome: AppendOutcome, index = 0): void {
    const [append] = this.open.splice(index, 1)
    assert.ok(append, 'nothing waits for an outcome')
    if (outcome === 'stored') this.onAccepted(append.events)
    append.done(outcome)
  }
}
