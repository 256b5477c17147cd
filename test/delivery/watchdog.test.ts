import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Watchdog } from '../../sidecar/delivery/watchdog.ts'
import { kafkaError } from './fake-producer.ts'
import { DeliveryHarness, texts, type HarnessOptions } from './harness.ts'

const TIMEOUT = 60_000

/** Looks every 100 ms, and answers each question at once. @returns seconds until the producer is to be replaced */
function secondsUntilReplaced(watchdog: Watchdog, answers: () => boolean = () => true, limit = 3600): number {
  for (let ms = 0; ms < limit * 1000; ms += 100) {
    if (watchdog.look(true, start + ms) && watchdog.answered(answers())) {
      start += ms
      return ms / 1000
    }
  }
  start += limit * 1000
  return Infinity
}
let start = 1_000_000

describe('the decision', () => {
  test('falls when nothing was reported for the timeout and Kafka has answered', () => {
    const seconds = secondsUntilReplaced(new Watchdog(TIMEOUT))
    assert.ok(seconds >= 60 && seconds < 61, `${seconds} s`)
  })

  test('never falls while Kafka does not answer, and Kafka is asked four times in a timeout at most', () => {
    const watchdog = new Watchdog(TIMEOUT)
    let questions = 0
    const seconds = secondsUntilReplaced(watchdog, () => {
      questions++
      return false
    })
    assert.equal(seconds, Infinity)
    assert.ok(questions > 200 && questions <= 240, `${questions} questions in an hour`)
  })

  test('is not the first answer after an outage: librdkafka has some time to connect again', () => {
    const watchdog = new Watchdog(TIMEOUT)
    let isBack = false
    assert.equal(
      secondsUntilReplaced(watchdog, () => isBack, 600),
      Infinity
    )
    isBack = true
    const seconds = secondsUntilReplaced(watchdog)
    assert.ok(seconds >= 15 && seconds <= 31, `${seconds} s`)
  })

  test('does not fall as long as there is a report now and then', () => {
    const watchdog = new Watchdog(TIMEOUT)
    for (let i = 0; i < 60; i++) {
      assert.equal(
        secondsUntilReplaced(watchdog, () => true, 59),
        Infinity
      )
      watchdog.reported()
    }
  })

  test('does not fall when a report comes while Kafka is asked', () => {
    const watchdog = new Watchdog(1000)
    assert.equal(
      secondsUntilReplaced(watchdog, () => true, 0.9),
      Infinity
    )
    while (!watchdog.look(true, start)) start += 10
    watchdog.reported()
    assert.equal(watchdog.answered(true), false)
  })

  test('an answer to a question from before a report says nothing about the silence after it', () => {
    const watchdog = new Watchdog(1000)
    const look = (): boolean => watchdog.look(true, (start += 100))
    while (!look());
    watchdog.reported()
    for (let i = 0; i < 30; i++) assert.equal(look(), false, 'one question at a time')
    assert.equal(watchdog.answered(true), false)
    assert.equal(look(), true)
    assert.equal(watchdog.answered(true), false, 'only the first answer of this silence')
  })

  test('needs records in flight', () => {
    const watchdog = new Watchdog(TIMEOUT)
    for (let i = 0; i < 3600; i++) assert.equal(watchdog.look(false, start + i * 1000), false)
    start += 3_600_000
    const seconds = secondsUntilReplaced(watchdog)
    assert.ok(seconds >= 60, `the silence counts from the first record: ${seconds} s`)
  })

  test('does not count the time for which the whole process stood still', () => {
    const watchdog = new Watchdog(TIMEOUT)
    watchdog.look(true, start)
    start += 3_600_000
    assert.equal(watchdog.look(true, start), false)
    assert.ok(watchdog.silentSeconds <= 1)
  })

  test('takes twice as long after each replacement without a report, up to ten minutes, and one report ends that', () => {
    const watchdog = new Watchdog(TIMEOUT)
    const waits: number[] = []
    for (let i = 0; i < 6; i++) {
      waits.push(Math.floor(secondsUntilReplaced(watchdog)))
      watchdog.replaced()
      watchdog.restart()
    }
    assert.deepEqual(waits, [60, 120, 240, 480, 600, 600])
    watchdog.reported()
    assert.equal(Math.floor(secondsUntilReplaced(watchdog)), 60)
  })

  test('a timeout beyond ten minutes stays what it is', () => {
    const watchdog = new Watchdog(1_800_000)
    for (let i = 0; i < 2; i++) {
      assert.equal(Math.floor(secondsUntilReplaced(watchdog)), 1800)
      watchdog.replaced()
      watchdog.restart()
    }
  })
})

describe('a producer that does not report although Kafka answers', () => {
  const stalled = async (t: TestContext, options: HarnessOptions = {}): Promise<DeliveryHarness> => {
    const harness = await DeliveryHarness.start(t, { stallTimeoutMs: 10_000, ...options })
    harness.accept(texts(5))
    return harness
  }

  test('is replaced, and the new one sends everything again, once and in order', async t => {
    const harness = await stalled(t)
    await harness.pass(9900)
    assert.equal(harness.producers.length, 1)
    await harness.pass(2000)
    assert.equal(harness.producers.length, 2)
    assert.ok(harness.producers[0]?.closed)
    assert.deepEqual(harness.rebuilds, [5])
    assert.deepEqual(harness.rebuildErrors, [
      { code: -1, name: 'stalled', message: 'no delivery report for 10 s although Kafka answers' }
    ])
    assert.deepEqual(harness.sent, texts(5))
    harness.producer.reportAll()
    await harness.burst()
    assert.deepEqual(harness.delivered, texts(5))
    assert.equal(harness.delivery.inFlightRecords, 0)
    harness.assertConserved()
    assert.equal(harness.store.pendingEvents, 0)
  })

  test('late reports of the one before change nothing', async t => {
    const harness = await stalled(t)
    await harness.pass(12_000)
    const [first] = harness.producers
    assert.ok(first)
    for (const sent of first.sent.slice(0, 3)) first.reportLate(sent)
    first.reportLate(first.sent[3] ?? assert.fail(), kafkaError(-150))
    await harness.burst()
    assert.deepEqual(harness.delivered, [])
    assert.equal(harness.store.pendingEvents, 5)
    assert.equal(harness.producers.length, 2)
    harness.producer.reportAll()
    await harness.burst()
    assert.deepEqual(harness.delivered, texts(5))
    harness.assertConserved()
  })

  test('is asked about with a topic that has records in flight', async t => {
    const harness = await DeliveryHarness.start(t, { stallTimeoutMs: 10_000 })
    harness.accept(['x'], 'served')
    await harness.burst()
    harness.producer.reportAll()
    await harness.burst()
    harness.accept(['y'], 'stuck')
    await harness.pass(12_000)
    assert.deepEqual(new Set(harness.producers[0]?.asked), new Set(['stuck']))
  })

  test('waits twice as long when the next one does not report either', async t => {
    const harness = await stalled(t)
    await harness.pass(12_000)
    assert.equal(harness.producers.length, 2)
    await harness.pass(18_000)
    assert.equal(harness.producers.length, 2)
    await harness.pass(4000)
    assert.equal(harness.producers.length, 3)
    assert.deepEqual(harness.sent, texts(5))
  })

  for (const [what, answers] of [
    ['Kafka does not answer', () => Promise.resolve(kafkaError(-195))],
    ['the answer does not come', () => new Promise<boolean>(() => {})]
  ] as const) {
    test(`is left alone when ${what}`, async t => {
      const harness = await stalled(t)
      harness.kafkaAnswers = answers
      await harness.pass(600_000, 25)
      assert.equal(harness.producers.length, 1)
      assert.deepEqual(harness.sent, texts(5))
      harness.producer.reportAll()
      await harness.burst()
      assert.deepEqual(harness.delivered, texts(5))
    })
  }

  test('asks nothing while reports come, however slowly, and whatever they say', async t => {
    const harness = await stalled(t)
    for (let i = 0; i < 20; i++) {
      await harness.pass(7000)
      if (i % 2 === 0) harness.producer.report(1, kafkaError(7))
      else harness.producer.report(1)
      harness.accept([`more${i}`])
    }
    assert.equal(harness.producers.length, 1)
    assert.deepEqual(harness.producer.asked, [])
  })

  test('asks nothing while nothing is in flight', async t => {
    const harness = await DeliveryHarness.start(t, {
      stallTimeoutMs: 10_000,
      ensureTopic: () => Promise.resolve({ refused: kafkaError(38) })
    })
    harness.accept(texts(5))
    await harness.pass(120_000, 25)
    assert.equal(harness.producers.length, 1)
    assert.deepEqual(harness.producer.asked, [])
  })

  test('an answer that comes when another error has replaced the producer replaces nothing', async t => {
    const harness = await stalled(t)
    const answers: ((exists: boolean) => void)[] = []
    harness.kafkaAnswers = () => new Promise(resolve => answers.push(resolve))
    await harness.pass(8000)
    answers.shift()?.(true)
    await harness.pass(3000)
    assert.equal(answers.length, 1)
    harness.producer.fatal()
    await harness.pass(1000)
    assert.equal(harness.producers.length, 2)
    answers.shift()?.(true)
    await harness.pass(7500)
    assert.equal(answers.length, 1, 'the new one is asked about from the beginning')
    answers.shift()?.(true)
    await harness.pass(1000)
    assert.equal(harness.producers.length, 2)
    assert.deepEqual(harness.sent, texts(5))
  })

  test('an answer that comes after the stop changes nothing', async t => {
    const harness = await stalled(t)
    const answers: ((exists: boolean) => void)[] = []
    harness.kafkaAnswers = () => new Promise(resolve => answers.push(resolve))
    await harness.pass(8000)
    answers.shift()?.(true)
    await harness.pass(3000)
    await harness.delivery.stop()
    answers.shift()?.(true)
    await harness.pass(40_000)
    assert.equal(harness.producers.length, 1)
    assert.deepEqual(harness.rebuilds, [])
    assert.equal(harness.store.pendingEvents, 5)
  })
})
