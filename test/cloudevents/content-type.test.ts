import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contentModeOf, isJson, isText, mediaType, type ContentMode } from '../../sidecar/cloudevents/content-type.ts'

const modes: readonly (readonly [string | undefined, ContentMode])[] = [
  [undefined, 'binary'],
  ['', 'binary'],
  ['application/json', 'binary'],
  ['json;;', 'binary'],
  ['text/plain; x=application/cloudevents+json', 'binary'],
  ['application/cloudevents+json', 'structured'],
  ['application/cloudevents+json; charset=utf-8', 'structured'],
  ['application/cloudevents+json;charset=UTF-8', 'structured'],
  ['application/cloudevents+json; charset="utf-8"', 'structured'],
  ['application/cloudevents+json ; foo=bar; charset=utf-8', 'structured'],
  ['Application/CloudEvents+JSON', 'structured'],
  ['APPLICATION/CLOUDEVENTS+JSON; CHARSET=UTF-8', 'structured'],
  ['application/cloudevents+json; charset=us-ascii', 'structured'],
  ['application/cloudevents+json; charset=utf-16', 'unsupported-structured'],
  ['application/cloudevents+json; charset=iso-8859-1', 'unsupported-structured'],
  ['application/cloudevents+avro', 'unsupported-structured'],
  ['application/cloudevents', 'unsupported-structured'],
  ['application/cloudevents-batch+json', 'batch'],
  ['Application/CloudEvents-Batch+JSON; charset=utf-8', 'batch'],
  ['application/cloudevents-batch+avro', 'unsupported-batch'],
  ['application/cloudevents-batch', 'unsupported-batch'],
  ['application/cloudevents-batch+json; charset=utf-16', 'unsupported-batch']
]

describe('the content mode of a request', () => {
  for (const [contentType, mode] of modes) {
    test(`${contentType ?? 'no content type'} is ${mode}`, () => {
      assert.equal(contentModeOf(contentType), mode)
      assert.equal(contentModeOf(contentType), mode, 'the second time, from the cache')
    })
  }

  test('is still right when a sender has used up the cache of content types', () => {
    for (let i = 0; i < 3000; i++) assert.equal(contentModeOf(`text/plain; n=${i}`), 'binary')
    assert.equal(contentModeOf('application/cloudevents+json; n=1'), 'structured')
    assert.equal(contentModeOf('application/cloudevents-batch+json; n=1'), 'batch')
  })
})

test('a media type is compared without parameters, spaces and case', () => {
  assert.equal(mediaType(' Application/JSON ; charset=utf-8'), 'application/json')
})

describe('data is JSON', () => {
  for (const type of ['application/json', 'APPLICATION/JSON; charset=utf-8', 'text/json', 'application/geo+json']) {
    test(`with content type ${type}`, () => assert.equal(isJson(type), true))
  }
  test('without a content type', () => assert.equal(isJson(undefined), true))
  for (const type of ['', 'json', 'application/jsonl', 'application/json-seq', 'application/x-json-stream', '/json']) {
    test(`but not with content type ${JSON.stringify(type)}`, () => assert.equal(isJson(type), false))
  }
})

describe('data is text', () => {
  const types = ['text/plain', 'TEXT/CSV; header=present', 'application/xml', 'application/atom+xml']
  // The last is the content type of curl -d, which KServe users send without knowing.
  for (const type of [...types, 'application/x-www-form-urlencoded']) {
    test(`with content type ${type}`, () => assert.equal(isText(type), true))
  }
  for (const type of ['application/octet-stream', 'application/grpc', 'application/json', 'image/png', '']) {
    test(`but not with content type ${JSON.stringify(type)}`, () => assert.equal(isText(type), false))
  }
})
