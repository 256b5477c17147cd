import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { Fifo } from '../../sidecar/store/fifo.ts'
import { PendingList, type PendingNode } from '../../sidecar/store/pending-list.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('Fifo', () => {
  test('gives back what was put in, in order, and undefined when it is empty', () => {
    const fifo = new Fifo<number>()
    assert.deepEqual([fifo.length, fifo.peek(), fifo.shift()], [0, undefined, undefined])
    fifo.push(1)
    fifo.push(2)
    assert.deepEqual([fifo.length, fifo.peek(), fifo.peek()], [2, 1, 1])
    assert.deepEqual([fifo.shift(), fifo.shift(), fifo.shift(), fifo.length], [1, 2, undefined, 0])
    fifo.push(3)
    assert.deepEqual([fifo.length, fifo.shift()], [1, 3])
  })

  test('behaves as an array, also when it holds thousands and its array is renewed', () => {
    const step = fc.record({ push: fc.nat(3000), shift: fc.nat(3000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), steps => {
        const fifo = new Fifo<number>()
        let expected = 0
        let pushed = 0
        for (const { push, shift } of steps) {
          for (let i = 0; i < push; i++) fifo.push(pushed++)
          for (let i = 0; i < shift; i++) {
            const next = expected < pushed ? expected++ : undefined
            if (fifo.peek() !== next || fifo.shift() !== next) assert.fail(`not ${next}`)
          }
          assert.equal(fifo.length, pushed - expected)
        }
      }),
      { numRuns: 100 }
    )
  })
})

test('a Fifo keeps nothing alive that was taken', async () => {
  const fifo = new Fifo<object>()
  const taken: WeakRef<object>[] = []
  for (let i = 0; i < 100; i++) fifo.push({ i })
  for (let i = 0; i < 50; i++) taken.push(new WeakRef(fifo.shift() ?? assert.fail()))
  // What a WeakRef was made of in this turn lives until its end.
  await turn()
  collectGarbage()
  assert.equal(taken.filter(one => one.deref() !== undefined).length, 0)
  assert.equal(fifo.length, 50)
})

describe('PendingList', () => {
  class Node implements PendingNode {
    previous: PendingNode | undefined
    next: PendingNode | undefined
    readonly number: number
    constructor(number: number) {
      this.number = number
    }
  }

  test('knows the oldest, in whatever order nodes are removed, and a removed one points nowhere', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('add'), fc.nat(30)), { maxLength: 100 }), steps => {
        const list = new PendingList<Node>()
        const model: Node[] = []
        for (const [number, step] of steps.entries()) {
          if (typeof step === 'string') {
            const node = new Node(number)
            list.add(node)
            model.push(node)
          } else if (model.length > 0) {
            const [node] = model.splice(step % model.length, 1)
            assert.ok(node)
            list.remove(node)
            assert.deepEqual([node.previous, node.next], [undefined, undefined])
          }
          assert.equal(list.oldest?.number, model[0]?.number)
        }
      }),
      { numRuns: 500 }
    )
  })
})
