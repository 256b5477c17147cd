import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import Kafka from 'node-rdkafka'
import { kafkaErrorOf } from '../../sidecar/kafka/errors.ts'

const require = createRequire(import.meta.url)
const { err2str } = require('node-rdkafka/librdkafka.js') as { err2str: (code: number) => string }
const LibrdKafkaError = require('node-rdkafka/lib/error.js') as { create: (error: Error) => unknown }
const CODES = Object.entries<number>(Kafka.CODES.ERRORS)

test('node-rdkafka loses the code of delivery-report and event errors: what kafkaErrorOf exists for', () => {
  const error = LibrdKafkaError.create(new Error(err2str(10))) as { code: number }
  assert.equal(error.code, -1, 'if this fails, node-rdkafka has been mended, and the map from texts can go')
})

test('every code comes back from the text that node-rdkafka makes of it, without a collision', () => {
  const seen = new Set<number>()
  for (const [name, code] of CODES) {
    if (code === 0 || seen.has(code)) continue
    seen.add(code)
    const error = kafkaErrorOf(LibrdKafkaError.create(new Error(err2str(code))))
    assert.equal(error.code, code, `${name}: ${err2str(code)} is taken for ${error.name}`)
  }
  assert.ok(seen.size > 150, `${seen.size} codes`)
})

test('a code that node-rdkafka kept is taken as it is', () => {
  assert.equal(kafkaErrorOf({ code: -184, message: 'anything' }).code, -184)
  assert.equal(kafkaErrorOf({ code: 36, message: 'Topic already exists.' }).name, 'topic_already_exists')
})

test('names are labels: lower case, one per code, as many as there are codes', () => {
  const names = new Map<string, number>()
  for (const [, code] of CODES) {
    const { name } = kafkaErrorOf({ code, message: err2str(code) })
    assert.match(name, /^[a-z0-9_]+$/)
    assert.equal(names.get(name) ?? code, code, `${name} stands for two codes`)
    names.set(name, code)
  }
})

test('whatever it is given, there is a code, a bounded name and a text', () => {
  const known = new Set([...CODES.map(([, code]) => kafkaErrorOf({ code, message: '' }).name), 'unknown'])
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.record({ code: fc.anything(), message: fc.anything() })), thrown => {
      const error = kafkaErrorOf(thrown)
      assert.equal(typeof error.code, 'number')
      assert.equal(typeof error.message, 'string')
      assert.ok(known.has(error.name))
    })
  )
})
