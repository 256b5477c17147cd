import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Pairs } from '../../cli/tail/pairs.ts'
import { recognise } from '../../cli/tail/recognise.ts'
import { recordWith } from './support.ts'

const event = (kind: string, id: string, ms = 0) =>
  recognise(
    recordWith(
      {
        ce_id: id,
        ce_type: `org.kubeflow.serving.inference.${kind}`,
        ce_time: new Date(ms).toISOString(),
        ce_recordedtime: '2026-11-22T10:00:00Z'
      },
      ''
    )
  )

const steps = fc.array(fc.tuple(fc.constantFrom('request', 'response'), fc.integer({ min: 0, max: 8 })), {
  maxLength: 200
})

test('an event is in at most one pair, and what waits has a bound', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 5 }), (events, max) => {
      const pairs = new Pairs(max)
      const seen = new Map<string, number>()
      const paired = new Map<number, number>()
      for (const [kind, id] of events) {
        seen.set(`${kind} ${id}`, (seen.get(`${kind} ${id}`) ?? 0) + 1)
        if (pairs.add(event(kind, String(id))) !== undefined) paired.set(id, (paired.get(id) ?? 0) + 1)
        assert.ok(pairs.size <= max)
      }
      for (const [id, count] of paired)
        assert.ok(count <= Math.min(seen.get(`request ${id}`) ?? 0, seen.get(`response ${id}`) ?? 0))
    })
  )
})

test('with room for all, each id that was asked and answered is paired, in whatever order', () => {
  const ids = fc.uniqueArray(fc.string(), { maxLength: 20 })
  const shuffled = ids.chain(all =>
    fc.shuffledSubarray(
      all.flatMap(id => [['request', id] as const, ['response', id] as const]),
      { minLength: all.length * 2 }
    )
  )
  fc.assert(
    fc.property(shuffled, events => {
      const pairs = new Pairs()
      const latencies = events
        .map(([kind, id]) => pairs.add(event(kind, id, kind === 'request' ? 1000 : 1042)))
        .filter(one => one !== undefined)
      assert.equal(latencies.length, events.length / 2)
      for (const latency of latencies) assert.deepEqual(latency, { ms: 42, approximate: false })
      assert.equal(pairs.size, 0)
    })
  )
})

test('latency has nanoseconds', () => {
  const at = (kind: string, time: string) =>
    recognise(recordWith({ ce_id: '1', ce_type: `x.${kind}`, ce_time: time }, ''))
  const pairs = new Pairs()
  pairs.add(at('request', '2026-11-22T10:35:59.679002308Z'))
  assert.deepEqual(pairs.add(at('response', '2026-11-22T11:35:59.680148851+01:00')), {
    ms: 1.146543,
    approximate: true
  })
})

test('the oldest is forgotten first, and long ids cost no more than short ones', () => {
  const pairs = new Pairs(2)
  const long = 'x'.repeat(100_000)
  for (const id of ['a', 'b', long]) pairs.add(event('request', id))
  assert.equal(pairs.size, 2)
  assert.equal(pairs.add(event('response', 'a')), undefined)
  assert.notEqual(pairs.add(event('response', long)), undefined)
})
