import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { packageRoot } from '../../cli/demo/package-root.ts'
import { consumerProperties, PRODUCER_ONLY } from '../../cli/tail/properties.ts'
import { matchesPattern, parseTopics } from '../../cli/tail/topics.ts'

test('the list of properties for producers is librdkafka’s own', () => {
  const path = join(packageRoot(), 'node_modules/node-rdkafka/deps/librdkafka/CONFIGURATION.md')
  const documented = readFileSync(path, 'utf8').matchAll(/^(\S+) *\| *P *\|/gm)
  assert.deepEqual([...PRODUCER_ONLY].sort(), [...new Set([...documented].map(match => match[1]))].sort())
})

test('the user’s properties reach the consumer, apart from those for producers and what reading stands on', () => {
  const user = {
    global: { 'security.protocol': 'ssl', 'linger.ms': '5', 'group.id': 'theirs', 'client.id': 'me' },
    topic: { acks: '1', 'auto.offset.reset': 'latest' }
  }
  const { global, topic } = consumerProperties({ brokers: 'kafka:9092', user })
  assert.equal(global['security.protocol'], 'ssl')
  assert.equal(global['client.id'], 'me')
  assert.equal(global['bootstrap.servers'], 'kafka:9092')
  assert.equal(global['enable.auto.commit'], false)
  assert.match(String(global['group.id']), /^inference-logger-tail-/)
  assert.notEqual(global['group.id'], consumerProperties({ brokers: '', user }).global['group.id'])
  assert.deepEqual(
    Object.keys({ ...global, ...topic }).filter(name => PRODUCER_ONLY.has(name)),
    []
  )
})

test('topics by name and by pattern', () => {
  const selection = parseTopics(['a.b', 'a.b', '^iris-.*', '^x$'])
  assert.deepEqual(selection.names, ['a.b'])
  const matching = ['iris-1', 'my-iris-1', 'x', 'xx', '__consumer_offsets'].filter(topic =>
    matchesPattern(selection, topic)
  )
  assert.deepEqual(matching, ['iris-1', 'x'])
  assert.equal(matchesPattern(parseTopics(['^.*']), '__consumer_offsets'), false)
  assert.equal(matchesPattern(parseTopics(['^__consumer.*']), '__consumer_offsets'), true)
  assert.throws(() => parseTopics(['a b']), /"a b" is no topic/)
  assert.throws(() => parseTopics(['^(']), /no regular expression/)
})
