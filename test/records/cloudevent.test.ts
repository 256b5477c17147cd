import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headersOf } from '../../sidecar/records/headers.ts'
import { eventWith, recordOf } from './events.ts'

describe('a cloudevent record', () => {
  test('has the attributes as ce_ headers in their order, datacontenttype as content-type, and the topic', () => {
    const { headers, topic } = recordOf(eventWith({ datacontenttype: 'a/b; c=d', subject: 's' }), 'cloudevent')
    assert.deepEqual(headers, [
      { ce_id: 'an-id' },
      { ce_source: '/a/source' },
      { ce_specversion: '1.0' },
      { ce_type: 'org.kubeflow.serving.inference.request' },
      { 'content-type': 'a/b; c=d' },
      { ce_subject: 's' }
    ])
    assert.equal(topic, 'a-topic')
  })

  test('has no header for what the event lacks, least of all one that says undefined', () => {
    const { headers } = recordOf(eventWith(), 'cloudevent')
    assert.deepEqual(
      headers.flatMap(header => Object.keys(header)),
      ['ce_id', 'ce_source', 'ce_specversion', 'ce_type']
    )
  })

  test('has header values as text that is not percent-encoded', () => {
    const { headers } = recordOf(eventWith({ metadata: '{"X":["zoë 100% €"]}', empty: '' }), 'cloudevent')
    assert.deepEqual(headers.slice(4), [{ ce_metadata: '{"X":["zoë 100% €"]}' }, { ce_empty: '' }])
  })

  test('has integers and booleans as their text', () => {
    const { headers } = recordOf(eventWith({ a: -5, b: true, c: 0, d: false }), 'cloudevent')
    assert.deepEqual(headers.slice(4), [{ ce_a: '-5' }, { ce_b: 'true' }, { ce_c: '0' }, { ce_d: 'false' }])
  })

  test('has illegal attribute names as they are', () => {
    const { headers } = recordOf(eventWith({ my_ext: '1', ['__proto__']: '2', data: '3' }), 'cloudevent')
    assert.deepEqual(headers.slice(4), [{ ce_my_ext: '1' }, { ce___proto__: '2' }, { ce_data: '3' }])
  })

  test('has the body’s bytes as value: the same memory, nothing parsed', () => {
    const event = eventWith({ datacontenttype: 'application/json' }, Buffer.from([0x7b, 0xff, 0x00]))
    assert.equal(recordOf(event, 'cloudevent').value, event.data)
  })

  test('without a body has a value of length 0 with memory behind it, which node-rdkafka does not take for null', () => {
    const { value } = recordOf(eventWith(), 'cloudevent')
    assert.equal(value.length, 0)
    assert.ok(value.buffer.byteLength > 0)
  })

  test('leaves the event as it was', () => {
    const event = eventWith({ partitionkey: 'p' }, '{}')
    const before = structuredClone(event.attributes)
    recordOf(event, 'cloudevent', 'partitionkey')
    assert.deepEqual(event.attributes, before)
  })

  test('has the right headers also when senders have used up the cache of names', () => {
    for (let i = 0; i < 5000; i++) headersOf(eventWith({ [`n${i}`]: 'v' }))
    assert.deepEqual(headersOf(eventWith({ after5000: 'v' })).at(-1), { ce_after5000: 'v' })
  })
})

describe('a record’s key', () => {
  const event = eventWith({ partitionkey: 'pké', inferenceservicename: 'iris' })

  for (const format of ['cloudevent', 'structured', 'envelope'] as const) {
    test(`is the event’s id in UTF-8 (${format})`, () => {
      assert.deepEqual(recordOf(eventWith({ id: 'zoë' }), format).key, Buffer.from('zoë'))
    })
    test(`is partitionkey or inferenceservicename where that is set, and the attribute stays (${format})`, () => {
      const record = recordOf(event, format, 'partitionkey')
      assert.deepEqual(record.key, Buffer.from('pké'))
      assert.ok(record.headers.some(header => header['ce_partitionkey'] === 'pké'))
      assert.equal(recordOf(event, format, 'inferenceservicename').key?.toString(), 'iris')
    })
    test(`is null where it is switched off, or the attribute is absent or empty (${format})`, () => {
      assert.equal(recordOf(event, format, 'none').key, null)
      assert.equal(recordOf(eventWith(), format, 'partitionkey').key, null)
      assert.equal(recordOf(eventWith({ partitionkey: '' }), format, 'partitionkey').key, null)
    })
  }

  test('is the text of an attribute that is no string', () => {
    assert.equal(recordOf(eventWith({ partitionkey: 0 }), 'cloudevent', 'partitionkey').key?.toString(), '0')
  })
})
