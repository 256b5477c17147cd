import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatBytes, parseBytes } from '../../sidecar/config/units.ts'
import { mistakesIn, parse } from './environment.ts'

test('a journal that could not hold the largest event stops the start, and says what to do', () => {
  assert.deepEqual(mistakesIn({ INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '16Mi' }), [
    'INFERENCE_LOGGER_JOURNAL_MAX_BYTES="16Mi": is too small for the largest event (INFERENCE_LOGGER_MAX_EVENT_BYTES=10Mi), ' +
      'which the journal could not hold; raise it to 20Mi, or lower INFERENCE_LOGGER_MAX_EVENT_BYTES'
  ])
  const { journalMaxBytes } = parse({ INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '20Mi' })
  assert.equal(journalMaxBytes, 20 * 1024 * 1024)
  assert.deepEqual(
    mistakesIn({ INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '16Mi', INFERENCE_LOGGER_MAX_EVENT_BYTES: '8Mi' }),
    []
  )
})

test('without a journal its bound is of no interest', () => {
  assert.deepEqual(mistakesIn({ INFERENCE_LOGGER_DURABILITY: 'memory', INFERENCE_LOGGER_JOURNAL_MAX_BYTES: '1Mi' }), [])
})

test('so do files of dead letters that could not, in every durability', () => {
  for (const durability of ['memory', 'journal', 'fsync', 'kafka']) {
    const [line, ...others] = mistakesIn({
      INFERENCE_LOGGER_DURABILITY: durability,
      INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES: '10Mi'
    })
    assert.match(line ?? '', /^INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES="10Mi": is too small.* raise it to 20Mi/)
    assert.deepEqual(others, [])
  }
})

test('all contradictions are told at once, together with other mistakes', () => {
  const lines = mistakesIn({
    KAFKA_TOPIC: 'events',
    INFERENCE_LOGGER_DEAD_LETTER_TOPIC: 'events',
    INFERENCE_LOGGER_MAX_EVENT_BYTES: '1Gi',
    INFERENCE_LOGGER_FORMAT: 'avro'
  })
  assert.deepEqual(lines.map(line => line.split('=', 1)[0]).sort(), [
    'INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES',
    'INFERENCE_LOGGER_DEAD_LETTER_TOPIC',
    'INFERENCE_LOGGER_FORMAT',
    'INFERENCE_LOGGER_JOURNAL_MAX_BYTES'
  ])
})

test('a value that does not parse is told of once, and not compared', () => {
  assert.equal(mistakesIn({ INFERENCE_LOGGER_JOURNAL_MAX_BYTES: 'small' }).length, 1)
  assert.equal(mistakesIn({ INFERENCE_LOGGER_MAX_EVENT_BYTES: 'large' }).length, 1)
})

test('dead letters need a topic of their own', () => {
  const [line] = mistakesIn({ KAFKA_TOPIC: 'events', INFERENCE_LOGGER_DEAD_LETTER_TOPIC: 'events' })
  assert.match(line ?? '', /^INFERENCE_LOGGER_DEAD_LETTER_TOPIC="events": has to be another topic than KAFKA_TOPIC/)
  assert.deepEqual(mistakesIn({ KAFKA_TOPIC: 'events', INFERENCE_LOGGER_DEAD_LETTER_TOPIC: 'dead' }), [])
})

test('a stall timeout that Kafka’s own timeouts exceed is warned of', () => {
  const [warning] = parse({ INFERENCE_LOGGER_STALL_TIMEOUT: '5s' }).warnings
  assert.match(warning ?? '', /^INFERENCE_LOGGER_STALL_TIMEOUT is below 20s/)
  assert.deepEqual(parse({ INFERENCE_LOGGER_STALL_TIMEOUT: '20s' }).warnings, [])
})

test('a size is written as it is read', () => {
  assert.deepEqual([1, 1023, 1024, 1536, 10 * 1024 ** 2, 1024 ** 3, 3 * 1024 ** 4].map(formatBytes), [
    '1',
    '1023',
    '1Ki',
    '1536',
    '10Mi',
    '1Gi',
    '3072Gi'
  ])
  fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), n => parseBytes(formatBytes(n)) === n))
})
