import assert from 'node:assert/strict'
import { test } from 'node:test'

// test/run.ts says which tiers could not run: they show up in the summary by name, and fail where CI promises them.
const unavailable = JSON.parse(process.env['UNAVAILABLE_TIERS'] ?? '[]') as { name: string; missing: string }[]

for (const { name, missing } of unavailable) {
  const inCi = process.env['CI'] === 'true'
  test(`tier ${name} runs`, { skip: inCi ? false : missing }, () => {
    assert.fail(`the tier ${name} cannot run here: ${missing}`)
  })
}

test('every tier that was asked for is accounted for', () => {
  assert.ok(Array.isArray(unavailable))
})
