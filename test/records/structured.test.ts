import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AttributeValue } from '../../sidecar/cloudevents/event.ts'
import { parseStructured } from '../../sidecar/cloudevents/structured.ts'
import { eventWith, recordOf } from './events.ts'

function valueOf(attributes: Record<string, AttributeValue>, data: string | Buffer = ''): string {
  return recordOf(eventWith(attributes, data), 'structured').value.toString()
}

const head = '"id":"an-id","source":"/a/source","specversion":"1.0","type":"org.kubeflow.serving.inference.request"'

describe('a structured record', () => {
  test('says what it is in content-type, first of the headers, and has the event’s own only in its value', () => {
    const { headers } = recordOf(eventWith({ datacontenttype: 'text/plain', subject: 'é' }, 'x'), 'structured')
    assert.deepEqual(headers[0], { 'content-type': 'application/cloudevents+json; charset=UTF-8' })
    assert.deepEqual(headers.slice(5), [{ ce_subject: 'é' }])
    assert.equal(headers.filter(header => 'content-type' in header).length, 1)
  })

  test('has attributes with their type', () => {
    assert.equal(valueOf({ n: -5, b: false, s: '5', e: '' }), `{${head},"n":-5,"b":false,"s":"5","e":""}`)
  })

  test('has the time as it came', () => {
    assert.match(
      valueOf({ time: '2018-04-05T03:56:24.123456789+01:00' }),
      /"time":"2018-04-05T03:56:24\.123456789\+01:00"/
    )
  })

  test('without a body has no data member', () => {
    assert.equal(valueOf({}), `{${head}}`)
    assert.equal(valueOf({ specversion: '0.3' }).includes('data'), false)
  })

  test('has JSON data as it was sent, numbers and duplicate keys included', () => {
    const json = '{"n":[12345678901234567890,1.0,1e400,-0.0], "a":1,"a":2}'
    for (const datacontenttype of ['application/json', 'application/x+json; charset=utf-8']) {
      assert.equal(
        valueOf({ datacontenttype }, json),
        `{${head},"datacontenttype":"${datacontenttype}","data":${json}}`
      )
    }
    assert.equal(valueOf({}, json), `{${head},"data":${json}}`, 'no content type means JSON')
  })

  for (const json of ['0', 'false', '""', 'null']) {
    test(`has the data ${json}`, () => assert.equal(valueOf({}, json), `{${head},"data":${json}}`))
  }

  test('has text as a string', () => {
    const value = valueOf({ datacontenttype: 'text/plain' }, '"é"\n\u2028')
    assert.equal((JSON.parse(value) as { data: string }).data, '"é"\n\u2028')
  })

  test('has JSON whose type is a form’s as a string: curl -d without a header', () => {
    const value = valueOf({ datacontenttype: 'application/x-www-form-urlencoded' }, '{"instances":[1]}')
    assert.equal((JSON.parse(value) as { data: string }).data, '{"instances":[1]}')
  })

  for (const [what, type, data] of [
    ['text that claims to be JSON: KServe’s streamed responses', 'application/json', Buffer.from('data: {"id":1}\n\n')],
    ['bytes of a binary type', 'application/octet-stream', Buffer.from('{}')],
    ['bytes of an unknown type', '', Buffer.from('abc')],
    ['text that is no UTF-8', 'text/plain', Buffer.from([0x63, 0xe9])],
    ['JSON that is no UTF-8', 'application/json', Buffer.from([0x22, 0xe9, 0x22])],
    ['a byte order mark before JSON', 'application/json', Buffer.from('\ufeff{}')]
  ] as const) {
    test(`has as data_base64: ${what}`, () => {
      const value = JSON.parse(valueOf({ datacontenttype: type }, data)) as Record<string, unknown>
      assert.equal(value['data_base64'], data.toString('base64'))
      assert.equal('data' in value, false)
    })
  }

  test('bug: an event of 0.3 had data_base64, which 0.3 does not know', () => {
    const bytes = Buffer.from([1, 2, 3])
    const attributes = { specversion: '0.3', datacontenttype: 'a/b', datacontentencoding: '8bit' }
    const value = valueOf(attributes, bytes)
    assert.deepEqual(JSON.parse(value), {
      ...(JSON.parse(`{${head}}`) as object),
      specversion: '0.3',
      datacontenttype: 'a/b',
      datacontentencoding: 'base64',
      data: 'AQID'
    })
    assert.equal(value.match(/datacontentencoding/g)?.length, 1)
    assert.deepEqual(parseStructured(Buffer.from(value), () => {}).data, bytes)
  })

  test('has no member for an attribute that is called like the data, which stays in the headers', () => {
    const event = eventWith({ data: 'x', data_base64: 'y' }, '{}')
    const { value, headers } = recordOf(event, 'structured')
    assert.equal(value.toString(), `{${head},"data":{}}`)
    assert.deepEqual(headers.slice(5), [{ ce_data: 'x' }, { ce_data_base64: 'y' }])
  })
})
