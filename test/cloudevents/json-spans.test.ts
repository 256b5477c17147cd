import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { elementSpans, memberSpans, type Span } from '../../sidecar/cloudevents/json-spans.ts'
import { jsonArray, jsonObject } from './arbitraries.ts'
import { readStructured, requiredMembers } from './reading.ts'

const slices = (text: string, spans: Span[]): string[] => spans.map(({ start, end }) => text.slice(start, end))

describe('the members of a JSON object', () => {
  test('are found as they were written, in any spelling of JSON', () => {
    fc.assert(
      fc.property(jsonObject, ({ text, members }) => {
        const spans = memberSpans(text)
        assert.deepEqual(
          spans.map(({ key }) => key),
          members.map(({ key }) => key)
        )
        assert.deepEqual(
          slices(text, spans),
          members.map(({ value }) => value)
        )
      }),
      { numRuns: 3000 }
    )
  })

  test('agree with JSON.parse, the last of duplicates counting', () => {
    fc.assert(
      fc.property(jsonObject, ({ text }) => {
        const found = new Map(
          memberSpans(text).map(({ key, start, end }) => [key, JSON.parse(text.slice(start, end)) as unknown])
        )
        const parsed = new Map(Object.entries(JSON.parse(text) as object))
        assert.deepEqual(found, parsed)
      }),
      { numRuns: 2000 }
    )
  })
})

test('the elements of a JSON array are found as they were written, and agree with JSON.parse', () => {
  fc.assert(
    fc.property(jsonArray, ({ text, members }) => {
      const found = slices(text, elementSpans(text))
      assert.deepEqual(
        found,
        members.map(({ value }) => value)
      )
      assert.deepEqual(
        found.map(one => JSON.parse(one) as unknown),
        JSON.parse(text)
      )
    }),
    { numRuns: 2000 }
  )
})

describe('deep and large JSON', () => {
  test('a hundred thousand brackets are an event like any other: no stack overflows', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}']
    ] as const) {
      const json = `${open.repeat(100_000)}1${close.repeat(100_000)}`
      const { data } = readStructured(`{"data":${json},${JSON.stringify(requiredMembers).slice(1)}`)
      assert.ok(data === json)
    }
  })

  for (const [what, before, piece, after] of [
    ['brackets', '', '[[[[', ']]]]'],
    ['strings', '[', '"a",', ''],
    ['backslashes', '[', '"\\\\\\\\",', ''],
    ['spaces', '', '    ', ''],
    ['digits', '', '1111', '']
  ] as const) {
    test(`hundreds of kilobytes of ${what} take time in proportion to their length`, () => {
      const end = before === '[' ? ']' : ''
      const text = `{"data":${before}${piece.repeat(200_000)}1${after.repeat(200_000)}${end}}`
      const started = performance.now()
      const [span] = memberSpans(text)
      assert.equal(span?.end, text.length - 1)
      // It takes milliseconds; a scan in quadratic time would take minutes.
      assert.ok(performance.now() - started < 5000)
    })
  }
})
