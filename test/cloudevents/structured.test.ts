import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseStructured } from '../../sidecar/cloudevents/structured.ts'
import { assertRefused, readStructured, requiredMembers, without } from './reading.ts'

describe('an event in structured mode', () => {
  test('has every member but the data as an attribute, strings, integers and booleans with their type', () => {
    const members = {
      ...requiredMembers,
      time: '2026-11-22T10:35:59.679471196+01:00',
      count: -5,
      flag: false,
      text: ''
    }
    const { attributes, irregular } = readStructured({ ...members, data: {} })
    assert.deepEqual(attributes, { ...members, datacontenttype: 'application/json' })
    assert.deepEqual(irregular, [])
  })

  test('lacks the attributes that are null', () => {
    assert.deepEqual(readStructured({ ...requiredMembers, subject: null, time: null }).attributes, requiredMembers)
    assertRefused('missing_attribute', () => readStructured({ ...requiredMembers, id: null }), /: id$/)
  })

  test('has no escapes undone in its values but JSON’s', () => {
    assert.equal(readStructured({ ...requiredMembers, x: '"%C3%A9"' }).attributes['x'], '"%C3%A9"')
  })

  test('has the last of duplicate members, as JSON.parse has it', () => {
    const text = '{"id":"first","specversion":"1.0","source":"/s","type":"t","data":1,"id":"last","d\\u0061ta":2.0}'
    const { attributes, data } = readStructured(text)
    assert.equal(attributes['id'], 'last')
    assert.equal(data, '2.0')
  })

  test('has members called like something in JavaScript as attributes', () => {
    const text = `{"__proto__":"p","constructor":"c",${JSON.stringify(requiredMembers).slice(1)}`
    const { event } = readStructured(text)
    assert.deepEqual(event.attributes[0], { name: '__proto__', value: 'p' })
    assert.deepEqual(event.attributes[1], { name: 'constructor', value: 'c' })
  })

  for (const name of ['my_ext', 'Upper', 'kebab-case', 'ünicode', ' ']) {
    test(`keeps and counts the illegal attribute name ${JSON.stringify(name)}`, () => {
      const { attributes, irregular } = readStructured({ ...requiredMembers, [name]: 'v' })
      assert.equal(attributes[name], 'v')
      assert.deepEqual(irregular, ['attribute_name'])
    })
  }

  test('keeps and counts a time that is none', () => {
    const { attributes, irregular } = readStructured({ ...requiredMembers, time: 'noon' })
    assert.equal(attributes['time'], 'noon')
    assert.deepEqual(irregular, ['time'])
    assert.deepEqual(readStructured({ ...requiredMembers, time: 5 }).irregular, ['time'])
  })

  for (const value of ['a\tb', 'a\u007f', '\u0085']) {
    test(`keeps and counts control characters: ${JSON.stringify(value)}`, () => {
      const { attributes, irregular } = readStructured({ ...requiredMembers, x: value })
      assert.equal(attributes['x'], value)
      assert.deepEqual(irregular, ['attribute_value'])
    })
  }

  for (const [value, counted] of [
    [2 ** 31 - 1, false],
    [-(2 ** 31), false],
    // 2 ** 31 was taken for an Integer of CloudEvents, which has 32 bits with the sign.
    [2 ** 31, true],
    [-(2 ** 31) - 1, true],
    [Number.MAX_SAFE_INTEGER, true]
  ] as const) {
    test(`keeps the integer ${value}${counted ? ' and counts it' : ''}`, () => {
      const { attributes, irregular } = readStructured({ ...requiredMembers, x: value })
      assert.equal(attributes['x'], value)
      assert.deepEqual(irregular, counted ? ['attribute_value'] : [])
    })
  }
})

describe('a structured event is refused', () => {
  for (const [what, text] of [
    ['an empty body', ''],
    ['text that is no JSON', 'hello'],
    ['half of one', '{"id":'],
    ['one with something behind it', `${JSON.stringify(requiredMembers)} x`],
    ['an array', '[]'],
    ['null', 'null'],
    ['a string', '"x"'],
    ['a byte order mark', `\ufeff${JSON.stringify(requiredMembers)}`]
  ] as const) {
    test(`for being ${what}`, () => assertRefused('invalid_json', () => readStructured(text)))
  }

  test('for not being UTF-8', () => {
    const body = Buffer.from(JSON.stringify({ ...requiredMembers, data: 'é' }), 'latin1')
    assertRefused('invalid_json', () => parseStructured(body, () => {}), /not UTF-8/)
  })

  test('by a message with the position and without the text', () => {
    assertRefused(
      'invalid_json',
      () => readStructured('{"secret":}'),
      /^the body is not JSON \(at position \d+\)$|^the body is not JSON$/
    )
    assertRefused(
      'invalid_json',
      () => readStructured('{"secret":"secret" "x"}'),
      /^the body is not JSON \(at position 19\)$/
    )
  })

  test('bug: a payload that speaks of a position was quoted as one', () => {
    assertRefused('invalid_json', () => readStructured('position 4711'), /^the body is not JSON$/)
    assertRefused('invalid_json', () => readStructured('x in JSON at position 4711'), /^the body is not JSON$/)
  })

  for (const name of Object.keys(requiredMembers)) {
    test(`without ${name}`, () => {
      assertRefused('missing_attribute', () => readStructured(without(requiredMembers, name)), new RegExp(`: ${name}$`))
    })
  }

  for (const text of ['1.5', '1e400', '9007199254740992', '[]', '{}']) {
    test(`for an attribute value that CloudEvents has no type for: ${text}`, () => {
      const event = `{"x":${text},${JSON.stringify(requiredMembers).slice(1)}`
      assertRefused('invalid_attribute', () => readStructured(event), /attribute x /)
    })
  }

  for (const escape of ['\\u0000', '\\ud800', '\\udc00x']) {
    test(`for an attribute value or name that Kafka cannot carry: ${escape}`, () => {
      const rest = JSON.stringify(requiredMembers).slice(1)
      assertRefused('invalid_attribute', () => readStructured(`{"x":"a${escape}",${rest}`))
      assertRefused('invalid_attribute', () => readStructured(`{"a${escape}":"x",${rest}`))
    })
  }

  test('for an attribute without a name', () => {
    assertRefused('invalid_attribute', () => readStructured({ ...requiredMembers, '': 'x' }))
  })

  test('bug: a message repeated an attribute’s name in whole, however long', () => {
    const name = 'n'.repeat(1_000_000)
    for (const value of [{}, '\0']) {
      assertRefused('invalid_attribute', () => readStructured({ ...requiredMembers, [name]: value }), /^.{0,200}$/)
    }
  })
})
