import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ValueError } from '../../sidecar/config/units.ts'
import type { AttributeValue } from '../../sidecar/cloudevents/event.ts'
import { parseTopicTemplate, TopicError, topicOf } from '../../sidecar/records/topic.ts'
import { eventWith } from './events.ts'

const topic = (template: string, attributes: Record<string, AttributeValue> = {}): string =>
  topicOf(parseTopicTemplate(template), eventWith(attributes))

describe('KAFKA_TOPIC', () => {
  test('is a name for all events', () => {
    assert.equal(topic('Inference.logs_1-x'), 'Inference.logs_1-x')
  })

  test('has its placeholders filled in from the event', () => {
    const attributes = { inferenceservicename: 'iris', namespace: 'team-a', component: 'predictor' }
    assert.equal(topic('{inferenceservicename}-inference-topic', attributes), 'iris-inference-topic')
    assert.equal(
      topic('{namespace}.{inferenceservicename}.{component}.{type}', attributes),
      'team-a.iris.predictor.request'
    )
    assert.equal(topic('{component}{component}', attributes), 'predictorpredictor')
  })

  test('has request, response or other for {type}', () => {
    assert.equal(topic('{type}', { type: 'org.kubeflow.serving.inference.response' }), 'response')
    assert.equal(topic('{type}', { type: 'com.example.odd' }), 'other')
  })

  test('has the text of an attribute that is no string', () => {
    assert.equal(topic('t{component}', { component: 5 }), 't5')
  })

  for (const text of [
    '',
    '.',
    '..',
    'a b',
    'a/b',
    'ümlaut',
    'x'.repeat(250),
    '{inferenceservicename',
    '}',
    '{a{type}}',
    '{}'
  ]) {
    test(`cannot be ${JSON.stringify(text.slice(0, 30))}`, () =>
      assert.throws(() => parseTopicTemplate(text), ValueError))
  }

  test('knows its placeholders, and says which there are', () => {
    assert.throws(
      () => parseTopicTemplate('{Type}'),
      /\{inferenceservicename\}, \{namespace\}, \{component\}, \{type\}/
    )
  })

  test('may be 249 characters long', () => {
    assert.equal(topic('x'.repeat(249)), 'x'.repeat(249))
  })
})

describe('an event has no topic', () => {
  test('when it lacks an attribute that the template names, or has an empty one: the error says which and what to do', () => {
    for (const attributes of [{}, { inferenceservicename: '' }]) {
      assert.throws(
        () => topic('{inferenceservicename}-topic', attributes),
        (error: Error) =>
          error instanceof TopicError && /no attribute inferenceservicename.*KAFKA_TOPIC/.test(error.message)
      )
    }
  })

  test('when an attribute makes an illegal name of the template', () => {
    for (const value of ['a/b', 'é', 'x'.repeat(250), '.', '..']) {
      assert.throws(() => topic('{component}', { component: value }), TopicError)
    }
  })

  test('and the error quotes 300 characters of the name at most', () => {
    assert.throws(
      () => topic('{component}', { component: 'x'.repeat(60_000) }),
      (error: Error) => error.message.length < 600
    )
  })
})
