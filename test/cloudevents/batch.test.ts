import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, readBatch, requiredMembers, without } from './reading.ts'

describe('a batch', () => {
  test('is events in their order, each as in structured mode', () => {
    const events = readBatch(
      ` [ ${JSON.stringify({ ...requiredMembers, id: 'a' })} ,\n{"data" : 1.0 ,${JSON.stringify(requiredMembers).slice(1)}]\n`
    )
    assert.deepEqual(
      events.map(({ attributes, data }) => [attributes['id'], attributes['datacontenttype'], data]),
      [
        ['a', undefined, ''],
        ['an-id', 'application/json', '1.0']
      ]
    )
  })

  for (const text of ['[]', ' [\n] ']) {
    test(`may be empty: ${JSON.stringify(text)}`, () => assert.deepEqual(readBatch(text), []))
  }

  test('may mix versions', () => {
    const events = readBatch(['1.0', '0.3', '0.2'].map(specversion => ({ ...requiredMembers, specversion })))
    assert.deepEqual(
      events.map(({ attributes }) => attributes['specversion']),
      ['1.0', '0.3', '1.0']
    )
  })

  test('may have brackets, commas and quotes in its strings', () => {
    const [first, second] = readBatch([
      { ...requiredMembers, x: ']},{["\\', data: '}],"' },
      { ...requiredMembers, id: 'second' }
    ])
    assert.equal(first?.data, '"}],\\""')
    assert.equal(second?.attributes['id'], 'second')
  })

  test('of ten thousand events is read in less than seconds', () => {
    const started = performance.now()
    assert.equal(readBatch(Array.from({ length: 10_000 }, () => ({ ...requiredMembers, data: [[]] }))).length, 10_000)
    assert.ok(performance.now() - started < 3000)
  })
})

describe('a batch is refused as a whole', () => {
  const good = requiredMembers

  test('for one event that is none, by its index and reason', () => {
    const noId = without(requiredMembers, 'id')
    assertRefused(
      'missing_attribute',
      () => readBatch([good, noId, good]),
      /^event 1 of the batch \(none was taken\): .*: id$/
    )
    assertRefused('unsupported_specversion', () => readBatch([good, good, { ...good, specversion: '9' }]), /^event 2 /)
    assertRefused('invalid_data', () => readBatch([{ ...good, data: 1, data_base64: '' }, good]), /^event 0 /)
  })

  for (const element of [null, 5, 'x', []]) {
    test(`for an element that is no object: ${JSON.stringify(element)}`, () => {
      assertRefused('invalid_json', () => readBatch([good, element]), /^event 1 /)
    })
  }

  test('for being no array', () => {
    assertRefused('invalid_batch', () => readBatch(good))
    assertRefused('invalid_batch', () => readBatch('null'))
  })

  test('for being no JSON', () => {
    assertRefused('invalid_json', () => readBatch(`[${JSON.stringify(good)},]`))
    assertRefused('invalid_json', () => readBatch(''))
  })
})
