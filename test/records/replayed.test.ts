import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventWith, recordOf } from './events.ts'

const MARK = { 'inference-logger-replayed': 'true' }

for (const format of ['cloudevent', 'structured', 'envelope'] as const) {
  test(`an event that was found in the journal is marked in one more header, and is the same otherwise: ${format}`, () => {
    const event = eventWith({ subject: 's' }, '{"instances":[1]}')
    const fresh = recordOf(event, format)
    const replayed = recordOf(event, format, 'id', 1000, true)
    assert.deepEqual(replayed, { ...fresh, headers: [...fresh.headers, MARK] })
    assert.deepEqual(recordOf(event, format), fresh, 'the mark stays with the one record')
  })
}
