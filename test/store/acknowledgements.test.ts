import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Acknowledgements, type Acknowledgement } from '../../sidecar/store/acknowledgements.ts'

interface Waiting {
  readonly acknowledgement: Acknowledgement
  answers: number
  /** It was asked to make the events safe. */
  asked: boolean
  /** They are. */
  secured: () => void
}

function setUp(t: TestContext): {
  acknowledgements: Acknowledgements
  wait: (events?: number) => Waiting
  pass: (ms: number) => void
} {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  const acknowledgements = new Acknowledgements(2000, () => now)
  t.after(() => acknowledgements.stop())
  return {
    acknowledgements,
    wait: (events = 1) => {
      const waiting: Omit<Waiting, 'acknowledgement'> = { answers: 0, asked: false, secured: () => {} }
      const secure = (done: () => void): void => void Object.assign(waiting, { asked: true, secured: done })
      const acknowledgement = acknowledgements.wait(events, secure, () => waiting.answers++)
      return Object.assign(waiting, { acknowledgement })
    },
    pass: ms => {
      now += ms
      t.mock.timers.tick(ms)
    }
  }
}

describe('acknowledgements', () => {
  test('are answered when the last event is released, once', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const one = wait(2)
    acknowledgements.released(one.acknowledgement)
    assert.equal(one.answers, 0)
    acknowledgements.released(one.acknowledgement)
    assert.equal(one.answers, 1)
    pass(5000)
    acknowledgements.stop()
    assert.deepEqual([one.answers, one.asked], [1, false])
  })

  test('are secured at their own deadline, and then answered, once', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const first = wait()
    pass(1500)
    const second = wait()
    pass(500)
    assert.ok(first.asked)
    assert.equal(second.asked, false)
    assert.equal(first.answers, 0)
    first.secured()
    assert.equal(first.answers, 1)
    pass(1500)
    assert.ok(second.asked)
    acknowledgements.released(second.acknowledgement)
    second.secured()
    acknowledgements.released(first.acknowledgement)
    assert.deepEqual([first.answers, second.answers], [1, 1])
  })

  test('of which others were answered in between keep their deadlines', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const [first, second, third] = [wait(), wait(), wait()]
    acknowledgements.released(second.acknowledgement)
    pass(1000)
    const fourth = wait()
    acknowledgements.released(first.acknowledgement)
    pass(1000)
    assert.ok(third.asked)
    assert.equal(fourth.asked, false)
    pass(1000)
    assert.ok(fourth.asked)
  })

  test('do not wait after one was not answered in time, until something is released', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const first = wait()
    pass(2000)
    const second = wait()
    assert.ok(second.asked)
    acknowledgements.released(first.acknowledgement)
    const third = wait()
    assert.equal(third.asked, false)
    pass(2000)
    assert.ok(third.asked)
  })

  // Each drop, with Kafka away, made the next reply wait for it again.
  test('are not waited for again because events were given up', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const first = wait(2)
    pass(2000)
    acknowledgements.givenUp(first.acknowledgement)
    assert.ok(wait().asked)
    acknowledgements.givenUp(first.acknowledgement)
    assert.equal(first.answers, 1)
    assert.ok(wait().asked)
  })

  test('are all secured at the end, and those that come after it too', t => {
    const { acknowledgements, wait, pass } = setUp(t)
    const [first, second] = [wait(), wait()]
    acknowledgements.stop()
    assert.ok(first.asked && second.asked)
    const third = wait()
    assert.ok(third.asked)
    first.secured()
    third.secured()
    pass(10_000)
    assert.deepEqual([first.answers, second.answers, third.answers], [1, 0, 1])
  })

  // For as long as it might have taken: at 1000 events a second of 10 KB, 20 MB that no bound counted.
  test('keep nothing of what was answered', t => {
    const { acknowledgements, wait } = setUp(t)
    const one = wait()
    const { answer, secure } = one.acknowledgement
    acknowledgements.released(one.acknowledgement)
    assert.notEqual(one.acknowledgement.answer, answer)
    assert.notEqual(one.acknowledgement.secure, secure)
  })
})
