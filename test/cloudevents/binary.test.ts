import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseBinary } from '../../sidecar/cloudevents/binary.ts'
import { attribute, kindOf } from '../../sidecar/cloudevents/event.ts'
import { assertRefused, readBinary, required, without } from './reading.ts'

describe('an event in binary mode', () => {
  test('has the ce- headers as attributes, in their order, and the content type as datacontenttype', () => {
    const { event } = readBinary({ ...required, 'Content-Type': 'application/json', 'Ce-Subject': 's' }, '{}')
    assert.deepEqual(event.attributes, [
      { name: 'id', value: 'an-id' },
      { name: 'source', value: '/a/source' },
      { name: 'specversion', value: '1.0' },
      { name: 'type', value: 'a.type' },
      { name: 'datacontenttype', value: 'application/json' },
      { name: 'subject', value: 's' }
    ])
  })

  test('has header names in any case, attribute names in lower case', () => {
    const { attributes, irregular } = readBinary({ ...required, 'CE-PARTITIONKEY': 'A', 'cE-cOmPoNeNt': 'Predictor' })
    assert.equal(attributes['partitionkey'], 'A')
    assert.equal(attributes['component'], 'Predictor')
    assert.deepEqual(irregular, [])
  })

  test('takes nothing from headers without the prefix, or with nothing behind it', () => {
    const { attributes } = readBinary({
      ...required,
      Traceparent: '00-1',
      'Ce-': 'x',
      Ce: 'y',
      Cer: 'z',
      'User-Agent': 'Go'
    })
    assert.deepEqual(Object.keys(attributes), ['id', 'source', 'specversion', 'type'])
  })

  test('keeps the body byte for byte, whatever its content type claims', () => {
    const body = Buffer.from([0x1f, 0x8b, 0, 255, 254, 0x7b])
    assert.deepEqual(readBinary({ ...required, 'Content-Type': 'application/json' }, body).event.data, body)
  })

  test('may have an empty body', () => {
    const { event } = readBinary({ ...required, 'Content-Type': 'application/json' }, '')
    assert.equal(event.data.length, 0)
  })

  test('without a content type has none: nothing is invented', () => {
    assert.equal('datacontenttype' in readBinary(required, '{"instances":[1]}').attributes, false)
  })

  test('keeps the content type as it was sent, with parameters, case and percent signs', () => {
    const contentType = 'Application/JSON;Charset=UTF-8; x="%41"'
    assert.equal(readBinary({ ...required, 'Content-Type': contentType }).attributes['datacontenttype'], contentType)
  })

  test('keeps an empty extension: Ce-Endpoint of KServe is present with an empty value', () => {
    const { attributes, irregular } = readBinary({ ...required, 'Ce-Endpoint': '' })
    assert.equal(attributes['endpoint'], '')
    assert.deepEqual(irregular, [])
  })

  test('keeps a metadata header of 17 kB', () => {
    const metadata = JSON.stringify({ 'X-User': ['u'.repeat(17_000)], 'X-Name': ['zoë'] })
    assert.equal(readBinary({ ...required, 'Ce-Metadata': metadata }).attributes['metadata'], metadata)
  })

  test('decodes header values by the given setting', () => {
    const headers = { ...required, 'Ce-Subject': '%C3%A9' }
    assert.equal(readBinary(headers).attributes['subject'], 'é')
    assert.equal(readBinary(headers, '', 'raw').attributes['subject'], '%C3%A9')
    assertRefused('invalid_attribute', () => readBinary({ ...required, 'Ce-Subject': '%' }, '', 'strict'), /ce-subject/)
  })

  test('has repeated headers joined to one value, as HTTP has it', () => {
    const headers: [string, string][] = [
      ...Object.entries(required),
      ['Ce-Tag', 'a'],
      ['X', '-'],
      ['ce-tag', 'b'],
      ['CE-TAG', '']
    ]
    assert.equal(readBinary(headers).attributes['tag'], 'a, b, ')
  })

  test('has the first of several content types, as node:http has it', () => {
    const headers: [string, string][] = [...Object.entries(required), ['Content-Type', 'a/b'], ['content-type', 'c/d']]
    assert.equal(readBinary(headers).attributes['datacontenttype'], 'a/b')
  })

  test('with a repeated specversion has a version that nobody knows', () => {
    const headers: [string, string][] = [...Object.entries(required), ['Ce-Specversion', '1.0']]
    assertRefused('unsupported_specversion', () => readBinary(headers), /"1\.0, 1\.0"/)
  })

  test('is not parsed for data that claims to be an event', () => {
    const { attributes } = readBinary(required, '{"specversion":"1.0","id":"other"}')
    assert.equal(attributes['id'], 'an-id')
  })
})

describe('a time', () => {
  const regular = [
    '2026-11-22T10:35:59.679471196Z',
    '2026-11-22T10:35:59.6794711961234Z',
    '2018-04-05T03:56:24+05:30',
    '2018-04-05T03:56:24.10-00:00',
    '2018-04-05t03:56:24z',
    '2016-12-31T23:59:60Z'
  ]
  for (const time of regular) {
    test(`${time} is kept as the text it came in`, () => {
      const { attributes, irregular } = readBinary({ ...required, 'Ce-Time': time })
      assert.equal(attributes['time'], time)
      assert.deepEqual(irregular, [])
    })
  }
  for (const time of ['yesterday', '1522900584', '2018-04-05', '2018-04-05T03:56:24', '2018-04-05 03:56:24Z', '']) {
    test(`${JSON.stringify(time)} is kept and counted`, () => {
      const { attributes, irregular } = readBinary({ ...required, 'Ce-Time': time })
      assert.equal(attributes['time'], time)
      assert.deepEqual(irregular, ['time'])
    })
  }
  test('that is absent stays absent', () => assert.equal('time' in readBinary(required).attributes, false))
})

describe('ce-datacontenttype, which must not be present,', () => {
  const both = { ...required, 'Content-Type': 'application/json', 'Ce-Datacontenttype': 'text/plain' }

  test('yields to the content type and is counted', () => {
    const { attributes, irregular } = readBinary(both)
    assert.equal(attributes['datacontenttype'], 'application/json')
    assert.deepEqual(irregular, ['ce_datacontenttype'])
  })

  test('yields to a content type that follows it', () => {
    const { attributes } = readBinary({
      'Ce-Datacontenttype': 'text/plain',
      'Content-Type': 'application/json',
      ...required
    })
    assert.equal(attributes['datacontenttype'], 'application/json')
  })

  test('counts where it is alone', () => {
    const { attributes, irregular } = readBinary({ ...required, 'Ce-Datacontenttype': 'text/plain' })
    assert.equal(attributes['datacontenttype'], 'text/plain')
    assert.deepEqual(irregular, ['ce_datacontenttype'])
  })

  test('leaves one attribute where it repeats what the content type says, or itself', () => {
    const same: [string, string][] = [
      ...Object.entries(required),
      ['Content-Type', 'a/b'],
      ['Ce-Datacontenttype', 'a/b']
    ]
    const twice: [string, string][] = [
      ...Object.entries(required),
      ['Ce-Datacontenttype', 'a/b'],
      ['Ce-Datacontenttype', 'c/d']
    ]
    assert.equal(readBinary(same).attributes['datacontenttype'], 'a/b')
    assert.equal(readBinary(twice).attributes['datacontenttype'], 'a/b')
  })
})

describe('an illegal attribute name', () => {
  for (const header of ['Ce-My_ext', 'Ce-Bad-Name', 'Ce-Data', 'Ce-A.B', 'Ce-__proto__', "Ce-~!#$%&'*+^`|"]) {
    test(`${header} is kept and counted`, () => {
      const { event, irregular } = readBinary({ ...required, [header]: 'v' })
      assert.equal(attribute(event, header.slice(3).toLowerCase()), 'v')
      assert.deepEqual(irregular, ['attribute_name'])
    })
  }
  test('does not count for being long: 20 characters are a recommendation', () => {
    assert.deepEqual(readBinary({ ...required, 'Ce-Inferenceservicename0123456789': 'v' }).irregular, [])
  })
  test('is still told from a legal one when a sender has used up the cache of names', () => {
    for (let i = 0; i < 5000; i++) readBinary({ ...required, [`Ce-X${i}`]: 'v' })
    assert.deepEqual(readBinary({ ...required, 'Ce-After_5000': 'v' }).irregular, ['attribute_name'])
    assert.equal(readBinary({ ...required, 'Ce-After5000': 'v' }).attributes['after5000'], 'v')
  })
})

describe('what is seen in one event after another', () => {
  for (const [what, headers, irregularity] of [
    ['an escape that does not decode', { 'Ce-Subject': '100%' }, 'header_escape'],
    ['an illegal name', { 'Ce-My_ext': 'v' }, 'attribute_name'],
    ['a time that is none', { 'Ce-Time': 'noon' }, 'time'],
    ['a control character', { 'Ce-Subject': '%0A' }, 'attribute_value'],
    ['ce-datacontenttype', { 'Ce-Datacontenttype': 'a/b' }, 'ce_datacontenttype']
  ] as const) {
    test(`counts every time: ${what}`, () => {
      for (let i = 0; i < 3; i++) assert.deepEqual(readBinary({ ...required, ...headers }).irregular, [irregularity])
    })
  }

  test('counts every time: bytes that are no UTF-8', () => {
    const rawHeaders = [...Object.entries({ ...required, 'Ce-Subject': 'caf\xe9' }).flat()]
    for (let i = 0; i < 3; i++) {
      const irregular: string[] = []
      parseBinary(rawHeaders, Buffer.alloc(0), 'auto', what => irregular.push(what))
      assert.deepEqual(irregular, ['header_bytes'])
    }
  })

  test('is decoded anew by each setting', () => {
    for (let i = 0; i < 2; i++) {
      assert.equal(readBinary({ ...required, 'Ce-Tag': '%C3%A9' }, '', 'raw').attributes['tag'], '%C3%A9')
      assert.equal(readBinary({ ...required, 'Ce-Tag': '%C3%A9' }, '', 'auto').attributes['tag'], 'é')
    }
  })

  test('is each event’s own: what is added to one is not in the next', () => {
    const first = readBinary({ ...required, 'Ce-Tag': 'a' }).event
    first.attributes.push({ name: 'pod', value: 'p' })
    const again: [string, string][] = [...Object.entries(required), ['Ce-Tag', 'a'], ['Ce-Tag', 'a']]
    assert.equal(readBinary(again).attributes['tag'], 'a, a')
    assert.deepEqual(readBinary({ ...required, 'Ce-Tag': 'a' }).event.attributes.at(-1), { name: 'tag', value: 'a' })
    assert.deepEqual(readBinary({ ...required, 'Ce-Tag': 'b' }).event.attributes.at(-1), { name: 'tag', value: 'b' })
  })
})

describe('a request in binary mode is refused', () => {
  test('without any ce- header: it is no CloudEvent', () => {
    assertRefused('not_a_cloudevent', () => readBinary({}, '{}'))
    assertRefused('not_a_cloudevent', () => readBinary({ 'Content-Type': 'application/json', Host: 'x' }, '{}'))
  })
  for (const name of ['Ce-Id', 'Ce-Source', 'Ce-Type', 'Ce-Specversion']) {
    const attributeName = name.slice(3).toLowerCase()
    test(`without ${name}`, () => {
      assertRefused('missing_attribute', () => readBinary(without(required, name)), new RegExp(`: ${attributeName}$`))
    })
    test(`with an empty ${name}`, () => {
      const reason = name === 'Ce-Specversion' ? 'unsupported_specversion' : 'missing_attribute'
      assertRefused(reason, () => readBinary({ ...required, [name]: '' }))
    })
  }
  test('by a message that names everything that is missing', () => {
    assertRefused('missing_attribute', () => readBinary({ 'Ce-Specversion': '1.0' }), /: id, source, type$/)
  })
})

test('requests and responses are told by the end of their type', () => {
  const kind = (type: string): string => kindOf(readBinary({ ...required, 'Ce-Type': type }).event)
  assert.equal(kind('org.kubeflow.serving.inference.request'), 'request')
  assert.equal(kind('org.kubeflow.serving.inference.response'), 'response')
  assert.equal(kind('io.seldon.serving.inference.request'), 'request')
  assert.equal(kind('io.seldon.serving.feedback'), 'other')
  assert.equal(kind('request'), 'other')
  for (let i = 0; i < 2000; i++) assert.equal(kind(`t${i}.response`), 'response')
})
