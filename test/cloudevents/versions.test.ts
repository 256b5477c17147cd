import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, readBinary, readStructured, required, requiredMembers, without } from './reading.ts'

describe('an event of specversion 0.2, in binary mode', () => {
  /** The headers of KFServing 0.3's logger. */
  const kfserving03 = {
    'Ce-Endpoint': '"default"',
    'Ce-Id': '0009174a-24a8-4603-b098-09c8799950e9',
    'Ce-Inferenceservicename': '"flowers-sample"',
    'Ce-Namespace': '"default"',
    'Ce-Source': 'http://localhost:8081/',
    'Ce-Specversion': '0.2',
    'Ce-Time': '2020-03-20T00:23:26.0789529Z',
    'Ce-Type': 'org.kubeflow.serving.inference.request',
    'Content-Type': 'application/json'
  }

  for (const decoding of ['auto', 'strict', 'raw'] as const) {
    test(`is upgraded to 1.0, its JSON-quoted extensions unquoted (${decoding})`, () => {
      const { attributes, data, irregular } = readBinary(kfserving03, '{"instances":[1.0]}', decoding)
      assert.deepEqual(attributes, {
        endpoint: 'default',
        id: '0009174a-24a8-4603-b098-09c8799950e9',
        inferenceservicename: 'flowers-sample',
        namespace: 'default',
        source: 'http://localhost:8081/',
        specversion: '1.0',
        time: '2020-03-20T00:23:26.0789529Z',
        type: 'org.kubeflow.serving.inference.request',
        datacontenttype: 'application/json'
      })
      assert.equal(data, '{"instances":[1.0]}')
      assert.deepEqual(irregular, [])
    })

    // Was read as an HTTP quoted-string first, which made "\u003c" of Go's encoder "u003c".
    test(`bug: JSON escapes in an extension lost their backslashes (${decoding})`, () => {
      const value = String.raw`"\u003cb\u003e \"x\" \\ \n zo\u00eb ë"`
      const { attributes } = readBinary({ ...kfserving03, 'Ce-Note': value }, '', decoding)
      assert.equal(attributes['note'], '<b> "x" \\ \n zoë ë')
    })

    test(`keeps a quoted value that is no JSON string, or no text, as the rest of the headers are read (${decoding})`, () => {
      const headers = {
        ...kfserving03,
        'Ce-A': String.raw`"\ud800"`,
        'Ce-B': String.raw`"\u0000"`,
        'Ce-C': '"open',
        'Ce-D': '{"a":1}'
      }
      const { attributes } = readBinary(headers, '', decoding)
      const unquoted = decoding !== 'raw'
      assert.equal(attributes['a'], unquoted ? 'ud800' : String.raw`"\ud800"`)
      assert.equal(attributes['b'], unquoted ? 'u0000' : String.raw`"\u0000"`)
      assert.equal(attributes['c'], '"open')
      assert.equal(attributes['d'], '{"a":1}')
    })
  }

  test('has schemaurl and contenttype under their names of 1.0', () => {
    const headers = without(kfserving03, 'Content-Type')
    const { attributes } = readBinary({ ...headers, 'Ce-Schemaurl': 'http://x/y', 'Ce-Contenttype': 'a/b' })
    assert.equal(attributes['dataschema'], 'http://x/y')
    assert.equal(attributes['datacontenttype'], 'a/b')
    assert.equal('schemaurl' in attributes || 'contenttype' in attributes, false)
  })

  test('bug: what two names of 0.2 and 1.0 say came out twice', () => {
    const { attributes } = readBinary({
      ...kfserving03,
      'Ce-Contenttype': '"a/b"',
      'Ce-Schemaurl': '"/0.2"',
      'Ce-Dataschema': '"/1.0"'
    })
    assert.equal(attributes['datacontenttype'], 'application/json')
    assert.equal(attributes['dataschema'], '/1.0')
  })

  for (const decoding of ['auto', 'strict', 'raw'] as const) {
    test(`is refused where its id is a quoted nothing (${decoding})`, () => {
      assertRefused('missing_attribute', () => readBinary({ ...kfserving03, 'Ce-Id': '""' }, '', decoding), /: id$/)
    })
  }

  test('has extensions that are called like something in JavaScript as any other', () => {
    assert.equal(readBinary({ ...kfserving03, 'Ce-Constructor': '"c"' }).attributes['constructor'], 'c')
  })
})

describe('an event of specversion 0.2, in structured mode', () => {
  test('is upgraded to 1.0', () => {
    const event = { ...requiredMembers, specversion: '0.2', schemaurl: '/s', contenttype: 'text/plain', data: 'x' }
    const { attributes, data } = readStructured(event)
    assert.deepEqual(attributes, {
      ...requiredMembers,
      dataschema: '/s',
      datacontenttype: 'text/plain'
    })
    assert.equal(data, 'x')
  })

  test('bug: quotes in an extension were taken for JSON in JSON', () => {
    const { attributes } = readStructured({ ...requiredMembers, specversion: '0.2', quoted: '"q"' })
    assert.equal(attributes['quoted'], '"q"')
  })

  test('bug: data_base64 became an attribute as well as the data', () => {
    const { attributes, data, irregular } = readStructured({
      ...requiredMembers,
      specversion: '0.2',
      data_base64: 'aGk='
    })
    assert.equal('data_base64' in attributes, false)
    assert.equal(data, 'hi')
    assert.deepEqual(irregular, [])
  })
})

describe('an event of specversion 0.3', () => {
  const headers03 = { ...required, 'Ce-Specversion': '0.3', 'Content-Type': 'text/plain' }

  test('passes through as 0.3 with its own names', () => {
    const { attributes, irregular } = readBinary({ ...headers03, 'Ce-Schemaurl': '/s', 'Ce-Quoted': '"q"' }, 'x')
    assert.equal(attributes['specversion'], '0.3')
    assert.equal(attributes['schemaurl'], '/s')
    assert.equal(attributes['quoted'], 'q', 'quotes are HTTP’s here')
    assert.deepEqual(irregular, [])
    assert.equal(readStructured({ ...requiredMembers, specversion: '0.3' }).attributes['specversion'], '0.3')
  })

  for (const encoding of ['base64', 'Base64']) {
    test(`has its body decoded from datacontentencoding=${encoding}, which then goes`, () => {
      const { attributes, data } = readBinary({ ...headers03, 'Ce-Datacontentencoding': encoding }, 'aGVsbG8=')
      assert.equal(data, 'hello')
      assert.equal('datacontentencoding' in attributes, false)
    })

    test(`has its data member decoded likewise (${encoding})`, () => {
      const event = { ...requiredMembers, specversion: '0.3', datacontentencoding: encoding, data: 'aGVsbG8=' }
      const { attributes, data } = readStructured(event)
      assert.equal(data, 'hello')
      assert.equal('datacontentencoding' in attributes, false)
    })
  }

  test('keeps any other datacontentencoding', () => {
    const { attributes, data } = readBinary({ ...headers03, 'Ce-Datacontentencoding': '8bit' }, 'aGk=')
    assert.equal(attributes['datacontentencoding'], '8bit')
    assert.equal(data, 'aGk=')
  })

  for (const text of ['aGVsbG8', 'aGVs bG8=', 'aGVsbG8=\n', '====', 'a===', 'aGVsbG8-']) {
    test(`is refused where its body is not base64 and says it is: ${JSON.stringify(text)}`, () => {
      assertRefused('invalid_data', () => readBinary({ ...headers03, 'Ce-Datacontentencoding': 'base64' }, text))
    })
  }
})

describe('datacontentencoding in an event of specversion 1.0 is an extension like any other', () => {
  test('in binary mode', () => {
    const { attributes, data } = readBinary({ ...required, 'Ce-Datacontentencoding': 'base64' }, 'aGk=')
    assert.equal(attributes['datacontentencoding'], 'base64')
    assert.equal(data, 'aGk=')
  })

  // Was decoded, and refused where the string was no base64.
  test('bug: in structured mode too', () => {
    const event = { ...requiredMembers, datacontenttype: 'text/plain', datacontentencoding: 'base64' }
    const { attributes, data } = readStructured({ ...event, data: 'aGk=' })
    assert.equal(attributes['datacontentencoding'], 'base64')
    assert.equal(data, 'aGk=')
    assert.equal(readStructured({ ...event, data: 'no base64!' }).data, 'no base64!')
  })
})

describe('any other specversion is refused', () => {
  for (const version of ['0.1', '1.1', '2.0', '1', '1.0.2', ' 1.0', 'v1.0']) {
    test(`${JSON.stringify(version)}, in binary and in structured mode`, () => {
      const message = new RegExp(`specversion "${version}" is not supported; send 1\\.0`)
      assertRefused('unsupported_specversion', () => readBinary({ ...required, 'Ce-Specversion': version }), message)
      assertRefused(
        'unsupported_specversion',
        () => readStructured({ ...requiredMembers, specversion: version }),
        message
      )
    })
  }
  test('and so is a number in JSON', () => {
    assertRefused('unsupported_specversion', () => readStructured({ ...requiredMembers, specversion: 1 }))
  })
  test('by a message that quotes 40 characters of it at most', () => {
    assertRefused(
      'unsupported_specversion',
      () => readBinary({ ...required, 'Ce-Specversion': '9'.repeat(9999) }),
      /^specversion "9{40}" is not/
    )
  })
})
