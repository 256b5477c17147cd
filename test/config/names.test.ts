import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfigError } from '../../sidecar/config/errors.ts'
import { variables } from '../../sidecar/config/variables.ts'
import { mistakesIn, parse } from './environment.ts'

test('all mistakes are told at once, each in a line', () => {
  const mistakes = mistakesIn(
    {
      KAFKA_BROKERS: undefined,
      KAFKA_TOPIC: 'a topic',
      INFERENCE_LOGGER_FORMAT: 'avro',
      INFERENCE_LOGGER_LISTN: '127.0.0.1:1',
      KAFKA_CONFIG_FILE: '/a/file',
      KAFKA_CONFIG_SECURITY_PROTOCOL: 'tls'
    },
    { '/a/file': 'lingerms = 5' }
  )
  const names = mistakes.map(line => line.split(/[=:]/, 1)[0])
  assert.deepEqual(names.sort(), [
    'INFERENCE_LOGGER_FORMAT',
    'INFERENCE_LOGGER_LISTN',
    'KAFKA_BROKERS',
    'KAFKA_CONFIG_SECURITY_PROTOCOL',
    'KAFKA_TOPIC',
    'lingerms in KAFKA_CONFIG_FILE'
  ])
})

for (const [name, meant] of [
  ['INFERENCE_LOGGER_LISTN', 'INFERENCE_LOGGER_LISTEN'],
  ['INFERENCE_LOGGER_OPSLISTEN', 'INFERENCE_LOGGER_OPS_LISTEN'],
  ['INFERENCE_LOGGER_MEMORY_MAX_BYTE', 'INFERENCE_LOGGER_MEMORY_MAX_BYTES'],
  ['INFERENCE_LOGGER_LOGLEVEL', 'INFERENCE_LOGGER_LOG_LEVEL']
] as const) {
  test(`${name} is unknown, and ${meant} is suggested; its value is not shown`, () => {
    const [line] = mistakesIn({ [name]: 'hunter2' })
    assert.match(line ?? '', new RegExp(`^${name}: is not a setting; did you mean ${meant}\\?`))
    assert.doesNotMatch(line ?? '', /hunter2/)
  })
}

test('a name that is like no other is unknown, without a guess', () => {
  const [line] = mistakesIn({ INFERENCE_LOGGER_XYZZY_PLUGH_FROTZ: '1' })
  assert.match(line ?? '', /is not a setting \(see/)
})

test('names that are not ours are none of our business', () => {
  assert.deepEqual(mistakesIn({ PATH: '/bin', KAFKA_HEAP_OPTS: '-Xmx1g', KAFKA_TOPICS: 'x', INFERENCE: 'y' }), [])
})

/** What Kubernetes adds for Services called kafka, kafka-config, kafka-topic and inference-logger, the port named http. */
const SERVICE_LINKS = ['KAFKA', 'KAFKA_CONFIG', 'KAFKA_TOPIC', 'INFERENCE_LOGGER', 'INFERENCE_LOGGER_WEBHOOK'].flatMap(
  prefix => [
    [`${prefix}_SERVICE_HOST`, '10.0.0.1'],
    [`${prefix}_SERVICE_PORT`, '9092'],
    [`${prefix}_SERVICE_PORT_HTTP`, '80'],
    [`${prefix}_SERVICE_PORT_TCP_PLAIN`, '80'],
    [`${prefix}_PORT`, 'tcp://10.0.0.1:80'],
    [`${prefix}_PORT_80_TCP`, 'tcp://10.0.0.1:80'],
    [`${prefix}_PORT_80_TCP_PROTO`, 'tcp'],
    [`${prefix}_PORT_80_TCP_PORT`, '80'],
    [`${prefix}_PORT_80_TCP_ADDR`, '10.0.0.1'],
    [`${prefix}_PORT_53_UDP_ADDR`, '10.0.0.1']
  ]
)

test('variables that Kubernetes adds for Services are never read and never called unknown', () => {
  const config = parse(Object.fromEntries(SERVICE_LINKS) as Record<string, string>)
  assert.deepEqual(config, parse({}))
})

test('no setting of ours has the shape of such a name: it would never be read', () => {
  const shape = /_(?:SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d\w*)$/
  assert.deepEqual(
    Object.values(variables).filter(({ name }) => shape.test(name)),
    []
  )
})

const letters = fc.string({ unit: fc.constantFrom(...'ABCDEFGHIKLMNOPRSTU_0123456789'), maxLength: 20 })
const name = fc.oneof(
  fc.constantFrom(...Object.values(variables).map(variable => variable.name)),
  letters.map(rest => `INFERENCE_LOGGER_${rest}`),
  letters.map(rest => `KAFKA_CONFIG_${rest}`),
  fc
    .constantFrom('ACKS', 'DEBUG', 'LINGER_MS', 'SASL_PASSWORD', 'SSL_CA_PEM', 'PARTITIONER', 'OPAQUE', 'EVENT_CB')
    .map(rest => `KAFKA_CONFIG_${rest}`),
  fc.constantFrom('__proto__', 'constructor', 'KAFKA_CONFIG_', 'INFERENCE_LOGGER_', 'KAFKA_CONFIG___PROTO__')
)
const value = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('1', '-1', '1Mi', '5s', 'true', '127.0.0.1:0', '[::1]:1', 'a:1,b:2', '{type}', '/a/file', '1e400')
)

test('whatever is in the environment and in the file, nothing but a ConfigError is thrown', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), fc.oneof(fc.string(), value), (entries, file) => {
      try {
        parse(Object.fromEntries([...entries, ['KAFKA_CONFIG_FILE', '/a/file']]), { '/a/file': file })
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error))
        assert.ok(error.mistakes.length > 0)
        for (const { variable, advice } of error.mistakes) assert.ok(variable !== '' && advice !== '')
      }
    }),
    { numRuns: 400 }
  )
})
