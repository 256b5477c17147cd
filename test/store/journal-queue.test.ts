import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Segment } from '../../sidecar/journal/segment.ts'
import { JournalQueue, type QueueOwner } from '../../sidecar/store/journal-queue.ts'
import { PendingEvent } from '../../sidecar/store/pending-event.ts'
import { eventOf } from '../journal/arbitraries.ts'

/** A store that notes what the queue asks of it. */
class Owner implements QueueOwner {
  isRecovering = false
  fills = 0
  readonly takenSequences: number[] = []
  onFill: (queue: JournalQueue) => void = () => {}

  fill(queue: JournalQueue): void {
    this.fills++
    this.onFill(queue)
  }

  taken({ sequence }: PendingEvent): void {
    this.takenSequences.push(sequence)
  }
}

function setUp(): { queue: JournalQueue; owner: Owner } {
  const owner = new Owner()
  return { queue: new JournalQueue('a-topic', owner), owner }
}

function pending(sequence: number, segmentId?: number): PendingEvent {
  const event = new PendingEvent(eventOf(sequence), sequence, false)
  if (segmentId !== undefined) {
    event.segment = new Segment({
      id: segmentId,
      firstSequence: 1,
      run: '',
      path: '',
      releasedPath: '',
      bytes: 0,
      sealed: true
    })
  }
  return event
}

/** The store reads one event at a time, at once. */
function readsAtOnce(owner: Owner): void {
  owner.onFill = queue => {
    const index = queue.source
    const next = index?.peek()
    if (index === undefined || next === undefined || queue.memory.length > 0) return
    index.shift()
    queue.readBack(pending(next.offset, next.segmentId))
  }
}

function takeAll(queue: JournalQueue): number[] {
  const sequences: number[] = []
  for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
    queue.take()
    sequences.push(next.sequence)
  }
  return sequences
}

describe('a queue of the journal', () => {
  test('hands out what is in memory, what earlier runs left, what is on disk, and what is in memory only', () => {
    const { queue, owner } = setUp()
    readsAtOnce(owner)
    queue.push(pending(1))
    queue.recovered.push(1, 2, 10, 0)
    queue.recovered.push(1, 3, 10, 0)
    queue.disk.push(2, 4, 10, 0)
    queue.push(pending(5))
    queue.push(pending(6))
    assert.equal(queue.waiting, 6)
    assert.deepEqual(takeAll(queue), [1, 2, 3, 4, 5, 6])
    assert.deepEqual(owner.takenSequences, [1, 2, 3, 4, 5, 6])
    assert.deepEqual([queue.waiting, queue.memoryBytes], [0, 0])
  })

  test('shows the same event until it is taken', () => {
    const { queue } = setUp()
    queue.push(pending(1))
    queue.push(pending(2))
    assert.equal(queue.peek(), queue.peek())
    queue.take()
    assert.equal(queue.peek()?.sequence, 2)
  })

  test('shows nothing while the next events are read, however much comes after them', () => {
    const { queue, owner } = setUp()
    queue.disk.push(1, 1, 10, 0)
    queue.push(pending(2))
    assert.equal(queue.peek(), undefined)
    assert.equal(owner.fills, 1)
    queue.take()
    assert.deepEqual(owner.takenSequences, [2], 'a caller that takes what it was not shown gets what there is')
  })

  test('holds back what came since the start, until it is known what earlier runs left', () => {
    const { queue, owner } = setUp()
    owner.isRecovering = true
    readsAtOnce(owner)
    queue.push(pending(3))
    queue.disk.push(2, 2, 10, 0)
    assert.equal(queue.peek(), undefined)
    queue.recovered.push(1, 1, 10, 0)
    assert.deepEqual(takeAll(queue), [1])
    owner.isRecovering = false
    assert.deepEqual(takeAll(queue), [2, 3])
  })

  test('has more read before memory is empty', () => {
    const { queue, owner } = setUp()
    for (let i = 1; i <= 66; i++) queue.push(pending(i))
    queue.disk.push(1, 67, 10, 0)
    queue.take()
    queue.take()
    assert.equal(owner.fills, 0)
    queue.take()
    assert.equal(owner.fills, 1)
  })

  test('gives up the events of a segment, in memory and on disk', () => {
    const { queue } = setUp()
    queue.push(pending(1, 1))
    queue.push(pending(2, 2))
    queue.recovered.push(2, 4, 10, 0)
    queue.recovered.push(4, 5, 10, 0)
    const { events, places } = queue.drop(new Set([1, 2]))
    assert.deepEqual(
      events.map(({ sequence }) => sequence),
      [1, 2]
    )
    assert.deepEqual(places, [{ segmentId: 2, offset: 4, size: 10 }])
    assert.deepEqual([queue.waiting, queue.memoryBytes], [1, 0])
    assert.deepEqual(queue.drop(new Set([9])), { events: [], places: [] })
  })

  test('gives up nothing that has something older before it', () => {
    const { queue } = setUp()
    queue.push(pending(1, 1))
    queue.push(pending(2, 2))
    queue.disk.push(2, 3, 10, 0)
    assert.deepEqual(queue.drop(new Set([2])), { events: [], places: [] })
    assert.equal(queue.waiting, 3)
  })

  test('gives up what was written after it had waited in memory only', () => {
    const { queue } = setUp()
    queue.disk.push(1, 1, 10, 0)
    queue.push(pending(2, 1))
    queue.push(pending(3))
    const { events, places } = queue.drop(new Set([1]))
    assert.deepEqual([events.length, places.length, queue.waiting], [1, 1, 1])
  })
})
