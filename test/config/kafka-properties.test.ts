import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkProperty, producerProperties, RESERVED_PROPERTIES } from '../../sidecar/kafka/properties.ts'
import { mistakesIn, parse } from './environment.ts'

const FILE = '/etc/kafka.properties'
const withFile = (text: string): [Record<string, string>, Record<string, string>] => [
  { KAFKA_CONFIG_FILE: FILE },
  { [FILE]: text }
]

describe('KAFKA_CONFIG_<NAME>', () => {
  test('is the property with dots, in the place where node-rdkafka wants it', () => {
    const { kafka } = parse({
      KAFKA_CONFIG_SECURITY_PROTOCOL: 'sasl_ssl',
      KAFKA_CONFIG_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_CONFIG_LINGER_MS: '50',
      KAFKA_CONFIG_ENABLE_IDEMPOTENCE: 'false',
      KAFKA_CONFIG_ACKS: '1',
      KAFKA_CONFIG_PARTITIONER: 'consistent',
      KAFKA_CONFIG_REQUEST_TIMEOUT_MS: '2000'
    })
    assert.deepEqual(kafka.global, {
      'security.protocol': 'sasl_ssl',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'linger.ms': '50',
      'enable.idempotence': 'false'
    })
    assert.deepEqual(kafka.topic, { acks: '1', partitioner: 'consistent', 'request.timeout.ms': '2000' })
  })

  test('a value that librdkafka does not take is told in its words', () => {
    assert.match(
      mistakesIn({ KAFKA_CONFIG_SECURITY_PROTOCOL: 'tls' }).join(),
      /^KAFKA_CONFIG_SECURITY_PROTOCOL="tls": Invalid value/
    )
    assert.match(mistakesIn({ KAFKA_CONFIG_ACKS: 'some' }).join(), /^KAFKA_CONFIG_ACKS="some": Invalid value/)
    assert.match(mistakesIn({ KAFKA_CONFIG_LINGER_MS: '-5' }).join(), /^KAFKA_CONFIG_LINGER_MS="-5": .*range/)
  })

  test('an unknown property is told, with the one that was probably meant, and without its value', () => {
    const [line] = mistakesIn({ KAFKA_CONFIG_SASL_PASWORD: 'hunter2' })
    assert.match(
      line ?? '',
      /^KAFKA_CONFIG_SASL_PASWORD: librdkafka has no property sasl\.pasword; did you mean sasl\.password\?/
    )
    assert.doesNotMatch(line ?? '', /hunter2/)
  })
})

describe('KAFKA_CONFIG_FILE', () => {
  test('takes comments, escapes, separators and continued lines, as Java does', () => {
    const { kafka } = parse(
      ...withFile(
        [
          '# a comment',
          '! another',
          'security.protocol=sasl_ssl',
          'sasl.username : user\\u00e4',
          'sasl.password = p\\=a\\:s\\\\s',
          'client.rack rack-1',
          'sasl.mechanism=SCRAM-\\',
          '    SHA-512',
          '',
          'acks=all'
        ].join('\r\n')
      )
    )
    assert.deepEqual(
      { ...kafka.global },
      {
        'security.protocol': 'sasl_ssl',
        'sasl.username': 'userä',
        'sasl.password': 'p=a:s\\s',
        'client.rack': 'rack-1',
        'sasl.mechanism': 'SCRAM-SHA-512'
      }
    )
    assert.deepEqual({ ...kafka.topic }, { acks: 'all' })
  })

  test('a variable wins over the file', () => {
    const [env, files] = withFile('linger.ms=1\nacks=all')
    const { kafka } = parse({ ...env, KAFKA_CONFIG_LINGER_MS: '9' }, files)
    assert.deepEqual(kafka, { global: { 'linger.ms': '9' }, topic: { acks: 'all' } })
  })

  test('mistakes in it name the property', () => {
    const lines = mistakesIn(...withFile('acks=some\nsasl.pasword=hunter2'))
    assert.equal(lines.length, 2)
    assert.match(lines[0] ?? '', /^acks in KAFKA_CONFIG_FILE="some": /)
    assert.match(lines[1] ?? '', /^sasl\.pasword in KAFKA_CONFIG_FILE: .*did you mean sasl\.password/)
    assert.doesNotMatch(lines.join('\n'), /hunter2/)
  })

  test('a file that is not there is told with its path', () => {
    assert.deepEqual(mistakesIn({ KAFKA_CONFIG_FILE: '/not/there' }), [
      'KAFKA_CONFIG_FILE="/not/there": cannot be read (ENOENT)'
    ])
  })

  test('names that JavaScript objects have by themselves are properties like any other', () => {
    const lines = mistakesIn(...withFile('constructor=x\ntoString=z'))
    assert.equal(lines.length, 2, lines.join('\n'))
  })
})

describe('properties that cannot be set', () => {
  for (const [property, reason] of RESERVED_PROPERTIES) {
    test(`${property}: ${reason}`, () => {
      assert.match(
        mistakesIn(...withFile(`${property}=1`)).join(),
        new RegExp(`^${property} in .* cannot be set: ${reason}`)
      )
      if (property.includes('_')) return
      const variable = `KAFKA_CONFIG_${property.toUpperCase().replaceAll('.', '_')}`
      assert.match(mistakesIn({ [variable]: '1' }).join(), new RegExp(`^${variable}="1": cannot be set`))
    })
  }
})

describe('the producer’s properties', () => {
  const properties = (global = {}, topic = {}): ReturnType<typeof producerProperties> =>
    producerProperties({
      brokers: 'kafka:9092',
      user: { global, topic },
      maxEventBytes: 10 * 1024 * 1024,
      inFlightMaxRecords: 8000,
      createTopics: true,
      clientId: 'a-client'
    })

  test('lose nothing: idempotent, no expiry, a report for each record, librdkafka’s queue larger than the window', () => {
    const { global, topic } = properties()
    assert.equal(global['enable.idempotence'], true)
    assert.equal(global['dr_cb'], true)
    assert.equal(topic['message.timeout.ms'], 0)
    assert.equal(topic['partitioner'], 'murmur2_random')
    assert.ok(Number(global['queue.buffering.max.messages']) > 8000)
    assert.ok(Number(global['message.max.bytes']) > 14 * 1024 * 1024, 'base64 in an envelope grows a body by a third')
  })

  test('the user’s win over the defaults', () => {
    const { global, topic } = properties({ 'linger.ms': '9', 'client.id': 'mine' }, { partitioner: 'random' })
    assert.deepEqual([global['linger.ms'], global['client.id'], topic['partitioner']], ['9', 'mine', 'random'])
  })

  test('each is one that librdkafka knows, in its place', () => {
    const { global, topic } = properties()
    for (const [name, value] of Object.entries(global)) {
      // dr_cb is node-rdkafka's own; a few exist in both places.
      if (name === 'dr_cb' || name.startsWith('compression')) continue
      assert.deepEqual(checkProperty(name, String(value)), { level: 'global' }, name)
    }
    for (const [name, value] of Object.entries(topic)) {
      assert.deepEqual(checkProperty(name, String(value)), { level: 'topic' }, name)
    }
  })
})
