import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MASK, masked } from '../../sidecar/config/errors.ts'
import { mistakesIn } from './environment.ts'

const SECRETS = [
  'sasl.password',
  'sasl.oauthbearer.client.secret',
  'sasl.oauthbearer.config',
  'ssl.key.password',
  'ssl.keystore.password',
  'ssl.key.pem',
  'ssl.certificate.pem',
  'sasl.jaas.config'
]

test('values of properties that are secrets are masked, others are not', () => {
  for (const property of SECRETS) assert.equal(masked(property, 'hunter2'), MASK, property)
  for (const property of ['sasl.username', 'security.protocol', 'ssl.ca.location', 'ssl.key.location', 'linger.ms']) {
    assert.equal(masked(property, 'shown'), 'shown', property)
  }
})

test('no message about a mistake shows a secret, wherever it was set', () => {
  const files = { '/f': SECRETS.map(property => `${property}x=hunter2`).join('\n') }
  const variables = SECRETS.flatMap(property => {
    const name = `KAFKA_CONFIG_${property.toUpperCase().replaceAll('.', '_')}`
    return [
      [name, 'hunter2'],
      [`${name}X`, 'hunter2']
    ]
  })
  const env = {
    ...(Object.fromEntries(variables) as Record<string, string>),
    KAFKA_CONFIG_FILE: '/f',
    KAFKA_CONFIG_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT: 'hunter2',
    INFERENCE_LOGGER_PASSWORD: 'hunter2',
    INFERENCE_LOGGER_FORMAT: 'avro'
  }
  const lines = mistakesIn(env, files)
  assert.ok(lines.length >= SECRETS.length, lines.join('\n'))
  const shown = lines.filter(line => line.includes('hunter2') && !line.includes('UNSECURE_JWT'))
  assert.deepEqual(shown, [])
})

test('regression: credentials that somebody wrote into KAFKA_BROKERS are not shown', () => {
  const [line] = mistakesIn({ KAFKA_BROKERS: 'SASL_SSL://user:hunter2@kafka:9092,other:9092' })
  assert.match(line ?? '', /^KAFKA_BROKERS=.*kafka:9092,other:9092.*host:port/)
  assert.doesNotMatch(line ?? '', /hunter2/)
})
