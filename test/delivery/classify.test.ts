import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import Kafka from 'node-rdkafka'
import { backoffMs } from '../../sidecar/delivery/backoff.ts'
import { classify, type Verdict } from '../../sidecar/delivery/classify.ts'

/** Everything that is not retried, by librdkafka's name; a code that is not here is retried. */
const NOT_RETRIED: Readonly<Record<string, Verdict>> = {
  ERR_MSG_SIZE_TOO_LARGE: { action: 'alone', reason: 'record_too_large' },
  // librdkafka has 18 under this name: RECORD_LIST_TOO_LARGE.
  ERR_RECORD_LIST_TOO_LARGE: { action: 'alone', reason: 'record_too_large' },
  ERR_INVALID_TIMESTAMP: { action: 'alone', reason: 'invalid_record' },
  ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT: { action: 'alone', reason: 'invalid_record' },
  ERR_INVALID_RECORD: { action: 'alone', reason: 'invalid_record' },
  ERR__FATAL: { action: 'rebuild' },
  ERR__FENCED: { action: 'rebuild' },
  ERR_OUT_OF_ORDER_SEQUENCE_NUMBER: { action: 'rebuild' },
  ERR_INVALID_PRODUCER_EPOCH: { action: 'rebuild' },
  ERR_INVALID_PRODUCER_ID_MAPPING: { action: 'rebuild' },
  ERR_UNKNOWN_PRODUCER_ID: { action: 'rebuild' },
  ERR_PRODUCER_FENCED: { action: 'rebuild' }
}

describe('what is done about each error that librdkafka knows', () => {
  for (const [name, code] of Object.entries<number>(Kafka.CODES.ERRORS)) {
    const expected = NOT_RETRIED[name] ?? { action: 'retry' }
    test(`${name} (${code}): ${expected.action}`, () => assert.deepEqual(classify(code), expected))
  }

  test('every exception above is a code that exists', () => {
    assert.deepEqual(
      Object.keys(NOT_RETRIED).filter(name => !(name in Kafka.CODES.ERRORS)),
      []
    )
  })

  test('a code that nobody has heard of is retried', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 100_000 }), code => {
        assert.deepEqual(classify(code), { action: 'retry' })
        assert.deepEqual(classify(-code), { action: 'retry' })
      })
    )
  })
})

describe('backoff', () => {
  const bounds = fc.record({ first: fc.integer({ min: 1, max: 10_000 }), max: fc.integer({ min: 1, max: 100_000 }) })
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  test('lies between half of its ceiling and the ceiling, which doubles up to the maximum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), bounds, random, (attempt, { first, max }, r) => {
        const ceiling = Math.min(max, first * 2 ** Math.min(attempt - 1, 100))
        const ms = backoffMs(attempt, { first, max }, r)
        assert.ok(Number.isInteger(ms))
        assert.ok(ms >= Math.floor(ceiling / 2) && ms <= Math.ceil(ceiling), `${ms} of ${ceiling}`)
      })
    )
  })

  test('never shrinks with the number of attempts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), bounds, random, (attempt, limits, r) => {
        assert.ok(backoffMs(attempt + 1, limits, r) >= backoffMs(attempt, limits, r))
      })
    )
  })

  test('differs among pods that failed together', () => {
    const waits = new Set(Array.from({ length: 20 }, (_, i) => backoffMs(5, { first: 200, max: 30_000 }, i / 20)))
    assert.equal(waits.size, 20)
  })
})
