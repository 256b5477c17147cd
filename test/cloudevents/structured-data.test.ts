import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, readStructured, requiredMembers } from './reading.ts'

/** An event with members written out, for data whose spelling matters. */
function eventWith(members: string): string {
  return `{${members},${JSON.stringify(requiredMembers).slice(1)}`
}

describe('data of a structured event', () => {
  for (const json of ['0', 'false', '""', 'null', '[]', '{}', '-0', '"text"', 'true']) {
    test(`${json} is the JSON text ${json}`, () => {
      const { data, attributes } = readStructured(eventWith(`"data":${json}`))
      assert.equal(data, json)
      assert.equal(attributes['datacontenttype'], 'application/json')
    })
  }

  test('that is absent is empty, and nothing is said of its type', () => {
    const { event, attributes } = readStructured(requiredMembers)
    assert.equal(event.data.length, 0)
    assert.deepEqual(attributes, requiredMembers)
  })

  test('is the text between its delimiters, byte for byte', () => {
    const json = String.raw`{"n":[12345678901234567890, 9007199254740993,1.0,1e3 ,-0.0,1E400], "a":1,"a":2 ,"s":"\u003c\/é\ud83d\ude00\ud800"}`
    for (const [before, after] of [
      ['', ''],
      [' \r\n\t', ' \n']
    ] as const) {
      assert.equal(readStructured(eventWith(`"data":${before}${json}${after}`)).data, json)
      assert.equal(
        readStructured(eventWith(`"datacontenttype":"application/x+json; v=1","data"${before}:${json}`)).data,
        json
      )
    }
  })

  test('is not taken from a member of that name deeper down', () => {
    assert.equal(
      readStructured(eventWith('"data":{"data":{"x":"\\"data\\":1}"}}')).data,
      '{"data":{"x":"\\"data\\":1}"}}'
    )
  })

  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/ld+json']) {
    test(`that is a string is a JSON string where the content type is ${type}`, () => {
      const { data, attributes } = readStructured({ ...requiredMembers, datacontenttype: type, data: '{"a":1}' })
      assert.equal(data, '"{\\"a\\":1}"')
      assert.equal(attributes['datacontenttype'], type)
    })
  }

  for (const type of ['text/plain', 'application/xml', 'application/octet-stream', 'application/jsonl']) {
    test(`that is a string is the text itself where the content type is ${type}`, () => {
      const { data } = readStructured({ ...requiredMembers, datacontenttype: type, data: '"é"\n\u0000' })
      assert.equal(data, '"é"\n\u0000')
    })
    test(`that is no string stays JSON where the content type is ${type}`, () => {
      assert.equal(readStructured(eventWith(`"datacontenttype":"${type}","data":{"a": 1.0}`)).data, '{"a": 1.0}')
      assert.equal(readStructured(eventWith(`"datacontenttype":"${type}","data":null`)).data, 'null')
    })
  }

  test('in base64 is the bytes, of which one is one', () => {
    const { event, attributes } = readStructured({ ...requiredMembers, datacontenttype: 'a/b', data_base64: '+/8A' })
    assert.deepEqual(event.data, Buffer.from([0xfb, 0xff, 0]))
    assert.equal('data_base64' in attributes, false)
  })

  test('in base64 may be empty', () => {
    assert.equal(readStructured({ ...requiredMembers, data_base64: '' }).event.data.length, 0)
  })

  test('in base64 counts as JSON where nothing is said of its type', () => {
    assert.equal(
      readStructured({ ...requiredMembers, data_base64: 'e30=' }).attributes['datacontenttype'],
      'application/json'
    )
  })

  test('in base64 that is null is absent', () => {
    const { data } = readStructured(eventWith('"data_base64":null,"data":1'))
    assert.equal(data, '1')
    assert.equal(readStructured(eventWith('"data_base64":null')).event.data.length, 0)
  })

  for (const data of ['1', 'null', '""']) {
    test(`and data_base64 exclude each other, also where data is ${data}`, () => {
      assertRefused('invalid_data', () => readStructured(eventWith(`"data":${data},"data_base64":"aGk="`)))
    })
  }

  for (const base64 of ['"a"', '"aGk"', '"aG k="', '"a-_="', '5', '{}', 'false']) {
    test(`in base64 that is none is refused: ${base64}`, () => {
      assertRefused('invalid_data', () => readStructured(eventWith(`"data_base64":${base64}`)))
    })
  }

  test('of ten million bytes is copied, not parsed', () => {
    const json = `[${'1.0,'.repeat(2_500_000)}1]`
    assert.equal(readStructured(eventWith(`"data":${json}`)).event.data.length, json.length)
  })
})
