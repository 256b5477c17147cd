import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RecordFingerprint } from '../support/kafka/index.ts'
import { assertPromiseKept, compare, EventSource, Issued, REPLAYED_HEADER } from '../support/oracle/index.ts'
import { planLife, planOutage } from './schedule.ts'

const source = new EventSource({ seed: 7, name: 'x', services: ['a', 'b'], topicOf: service => `${service}-topic` })

/** The record that an event must become. */
function recordOf(number: number, offset = number): RecordFingerprint {
  const { id, type } = source.event(number)
  return { ...source.expected(number), partition: 0, offset, verbatim: { ce_id: id, ce_type: type } }
}

/** Events 0 to 9 were accepted, 10 was refused, 11 got no answer. */
function issued(): Issued {
  const issued = new Issued()
  for (let number = 0; number < 12; number++) issued.sending(number, 1)
  for (let number = 0; number < 10; number++) issued.answered(number, 1, 200)
  issued.answered(10, 1, 503)
  return issued
}

const accepted = Array.from({ length: 10 }, (_, number) => recordOf(number))

describe('the oracle', () => {
  test('is content when what was accepted has arrived, and with what was not answered either way', () => {
    const verdict = compare(source, issued(), accepted)
    assertPromiseKept(verdict)
    assert.deepEqual(
      { accepted: verdict.accepted, refused: verdict.refused, unanswered: verdict.unanswered },
      { accepted: 10, refused: 1, unanswered: 1 }
    )
    assertPromiseKept(compare(source, issued(), [...accepted, recordOf(11)]))
  })

  test('misses an event that was accepted', () => {
    const verdict = compare(source, issued(), accepted.toSpliced(4, 1))
    assert.deepEqual(verdict.lost, [4])
    assert.throws(() => assertPromiseKept(verdict))
  })

  test('sees an event that nobody issued', () => {
    for (const stranger of [recordOf(12), { ...recordOf(3), verbatim: { ce_id: 'y-3', ce_type: 'other' } }]) {
      const verdict = compare(source, issued(), [...accepted, stranger])
      assert.equal(verdict.foreign.length, 1)
      assert.throws(() => assertPromiseKept(verdict))
    }
  })

  test('sees every difference between a record and its event', () => {
    const other = recordOf(5)
    for (const name of ['topic', 'key', 'value', 'length', 'headers'] as const) {
      const changed = { ...recordOf(3), [name]: other[name] === recordOf(3)[name] ? 'another' : other[name] }
      const verdict = compare(source, issued(), accepted.toSpliced(3, 1, changed))
      assert.equal(verdict.altered.length, 1, name)
      assert.throws(() => assertPromiseKept(verdict))
    }
  })

  test('counts what came twice, what was replayed, and what overtook', () => {
    const again = recordOf(2, 20)
    again.verbatim[REPLAYED_HEADER] = 'true'
    const verdict = compare(source, issued(), [...accepted, again])
    assertPromiseKept(verdict)
    assert.deepEqual([verdict.duplicates, verdict.replayed, verdict.outOfOrder], [1, 1, 0])

    const sequential = new Issued()
    for (let number = 0; number < 2; number++) {
      sequential.sending(number, 1)
      const until = performance.now() + 1
      while (performance.now() < until);
      sequential.answered(number, 1, 200)
    }
    const swapped = [recordOf(1, 0), { ...recordOf(0, 1), topic: recordOf(1).topic }]
    assert.equal(compare(source, sequential, swapped).outOfOrder, 1)
  })

  test('makes the same events from the same seed, and each of them only once', () => {
    const same = new EventSource({ seed: 7, name: 'x', services: ['a', 'b'], topicOf: service => `${service}-topic` })
    const digests = new Set<string>()
    let next = 0
    while (next < 2000) {
      const request = source.request(next)
      assert.ok(request.bytes.equals(same.request(next).bytes))
      for (let number = next; number < next + request.count; number++) {
        const { id, type } = source.event(number)
        assert.equal(source.numberOf(id, type), number)
        digests.add(`${id} ${type} ${JSON.stringify(source.expected(number))}`)
      }
      next += request.count
    }
    assert.equal(digests.size, next)
  })

  test('sends bodies of all sizes, and batches', () => {
    const lengths = Array.from({ length: 20_000 }, (_, number) => source.expected(number).length)
    assert.ok(lengths.includes(0))
    assert.ok(lengths.some(length => length > 6000 && length <= 65_536))
    assert.ok(lengths.some(length => length > 900_000 && length <= 1_000_000))
    assert.ok(Array.from({ length: 200 }, (_, block) => source.request(block * 8).count).some(count => count === 8))
  })
})

describe('the schedule of a run', () => {
  test('is the same for the same seed, and another one for each victim and life', () => {
    assert.deepEqual(planLife(5, 1, 2), planLife(5, 1, 2))
    assert.deepEqual(planOutage(5, 1), planOutage(5, 1))
    const plans = [planLife(5, 1, 2), planLife(5, 1, 3), planLife(5, 2, 2), planLife(6, 1, 2)]
    assert.equal(new Set(plans.map(plan => JSON.stringify(plan))).size, plans.length)
  })

  test('has all durabilities, kills during the start and after it, and lives without Kafka', () => {
    const plans = Array.from({ length: 200 }, (_, life) => planLife(1, 0, life))
    const durabilities = new Set(plans.map(({ env }) => env['INFERENCE_LOGGER_DURABILITY']))
    assert.deepEqual(durabilities, new Set(['journal', 'fsync', 'kafka']))
    for (const condition of [
      plans.filter(({ from, killAfterMs }) => from === 'spawn' && killAfterMs < 200),
      plans.filter(({ from }) => from === 'ready'),
      plans.filter(({ kafkaAbsent }) => kafkaAbsent),
      plans.filter(({ terminateAfterMs }) => terminateAfterMs !== undefined),
      plans.filter(({ load }) => load.rate !== undefined)
    ]) {
      assert.ok(condition.length > 5)
    }
  })
})
