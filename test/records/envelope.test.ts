import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AttributeValue } from '../../sidecar/cloudevents/event.ts'
import { eventWith, recordOf } from './events.ts'

function valueOf(
  attributes: Record<string, AttributeValue>,
  data: string | Buffer = '{}',
  maxEventBytes = 1000
): string {
  return recordOf(eventWith(attributes, data), 'envelope', 'id', maxEventBytes).value.toString()
}

const secondsOf = (attributes: Record<string, AttributeValue>): number =>
  (JSON.parse(valueOf(attributes)) as { time: number }).time

describe('an envelope record', () => {
  const time = '2020-08-02T22:19:50.9Z'

  test('has type, id, time and payload in this order, and headers as a cloudevent record', () => {
    const event = eventWith({ time, datacontenttype: 'application/json' }, '{"instances":[1]}')
    const { value, headers } = recordOf(event, 'envelope')
    assert.equal(value.toString(), '{"type":"request","id":"an-id","time":1596406790,"payload":{"instances":[1]}}')
    assert.deepEqual(headers, recordOf(event, 'cloudevent').headers)
  })

  test('has an id with quotes in it', () => {
    assert.equal((JSON.parse(valueOf({ id: '"\\é' })) as { id: string }).id, '"\\é')
  })

  test('has the kind of the event for KServe’s types and the type itself for others', () => {
    const typeOf = (type: string): unknown => (JSON.parse(valueOf({ type })) as { type: string }).type
    assert.equal(typeOf('org.kubeflow.serving.inference.request'), 'request')
    assert.equal(typeOf('org.kubeflow.serving.inference.response'), 'response')
    assert.equal(typeOf('com.example.other'), 'com.example.other')
  })

  test('has the payload as it was sent: numbers, spaces, duplicate keys', () => {
    const json = ' { "n" : [12345678901234567890,6.0,-0.0,1e400],\n"a":1,"a":2 } \n'
    assert.equal(valueOf({ time }, json), `{"type":"request","id":"an-id","time":1596406790,"payload":${json}}`)
  })

  for (const json of ['0', 'false', '""', 'null', '[1,2]', '"x"']) {
    test(`has the payload ${json}, which is JSON as well`, () => {
      assert.ok(valueOf({}, json).endsWith(`"payload":${json}}`))
    })
  }

  test('has the payload of whatever content type as JSON where it is JSON', () => {
    assert.ok(
      valueOf({ datacontenttype: 'application/x-www-form-urlencoded' }, '{"a":1}').endsWith('"payload":{"a":1}}')
    )
  })

  test('has bad UTF-8 in a JSON string replaced, as the original had it', () => {
    const body = Buffer.concat([Buffer.from('{"instances":["'), Buffer.from([0xff, 0xfe]), Buffer.from('"]}')])
    assert.deepEqual((JSON.parse(valueOf({}, body)) as { payload: unknown }).payload, { instances: ['\ufffd\ufffd'] })
  })

  for (const [what, body] of [
    ['nothing', ''],
    ['text', 'data: {}\n\n'],
    ['JSON with something behind it', '{"instances":[1]} x'],
    ['a literal tab in a string', '"\t"'],
    ['bytes', Buffer.from([0, 255, 128])]
  ] as const) {
    test(`has as base64, and says so, what is no JSON: ${what}`, () => {
      const base64 = Buffer.from(body).toString('base64')
      assert.ok(valueOf({}, Buffer.from(body)).endsWith(`,"payload":"${base64}","payload_encoding":"base64"}`))
    })
  }
})

describe('the time of an envelope', () => {
  for (const [time, seconds] of [
    ['2026-11-22T10:35:59.999999999Z', 1795343759],
    ['2018-04-05T03:56:24+05:30', 1522880784],
    ['2018-04-05t03:56:24z', 1522900584],
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59.5Z', -1],
    ['0001-01-01T00:00:00Z', -62135596800]
  ] as const) {
    test(`${time} is ${seconds}, cut and not rounded`, () => assert.equal(secondsOf({ time }), seconds))
  }

  test('that is absent is what Go’s zero time is in seconds, as the original wrote it', () => {
    assert.equal(secondsOf({}), -62135596800)
  })

  // Date.parse makes a year, a month or a local time of these.
  for (const time of [
    '1',
    '2018',
    '2018-04',
    '2018-04-05',
    'April 5',
    '2018-04-05T03:56:24',
    '2018-04-05 03:56:24Z',
    '',
    5
  ]) {
    test(`bug: ${JSON.stringify(time)} is no time and was made one`, () => {
      assert.equal(secondsOf({ time }), -62135596800)
    })
  }

  test('does not depend on the time zone of the machine', () => {
    const script = `
      import { buildRecord } from ${JSON.stringify(import.meta.resolve('../../sidecar/records/build.js'))}
      const at = time => buildRecord({ topic: 't', event: { attributes: [{ name: 'time', value: time }], data: Buffer.from('{}') } },
        { format: 'envelope', key: 'none', maxEventBytes: 9 }).value.toString()
      console.log(at('2018-04-05T03:56:24Z') + at('2018-04-05T03:56:24'))`
    const run = (TZ: string): string => {
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TZ }
      })
      return stdout.toString()
    }
    assert.match(run('America/New_York'), /1522900584/)
    assert.equal(run('America/New_York'), run('Asia/Kolkata'))
  })
})

describe('a compressed payload', () => {
  const json = '{"instances":[1.0]}'
  const marked = { contentencoding: 'gzip', datacontenttype: 'application/json' }

  test('is decompressed in an envelope, whose headers then do not call it gzip', () => {
    const { value, headers } = recordOf(eventWith(marked, gzipSync(json)), 'envelope')
    assert.ok(value.toString().endsWith(`"payload":${json}}`))
    assert.equal(
      headers.some(header => 'ce_contentencoding' in header),
      false
    )
  })

  for (const format of ['cloudevent', 'structured'] as const) {
    test(`stays as it is in a ${format} record, marked gzip`, () => {
      const event = eventWith(marked, gzipSync(json))
      const { value, headers } = recordOf(event, format)
      assert.deepEqual(
        headers.find(header => 'ce_contentencoding' in header),
        { ce_contentencoding: 'gzip' }
      )
      if (format === 'cloudevent') assert.equal(value, event.data)
      else
        assert.equal(
          (JSON.parse(value.toString()) as { data_base64: string }).data_base64,
          event.data.toString('base64')
        )
    })
  }

  test('that is no JSON inside is the base64 of what is inside', () => {
    const base64 = Buffer.from('data: 1\n\n').toString('base64')
    assert.ok(valueOf(marked, gzipSync('data: 1\n\n')).endsWith(`"payload":"${base64}","payload_encoding":"base64"}`))
  })

  for (const [what, data, limit] of [
    ['grows beyond the limit, like a bomb', gzipSync(Buffer.alloc(5_000_000)), 1_000_000],
    ['is cut off', gzipSync('{"instances":[1,2,3,4,5,6,7,8,9]}').subarray(0, -9), 1000],
    ['is broken', Buffer.concat([gzipSync('').subarray(0, 10), Buffer.alloc(30, 0xff)]), 1000]
  ] as const) {
    test(`that ${what} stays compressed, in base64 and marked gzip`, () => {
      const { value, headers } = recordOf(eventWith(marked, data), 'envelope', 'id', limit)
      assert.ok(value.toString().endsWith(`"payload":"${data.toString('base64')}","payload_encoding":"base64"}`))
      assert.ok(headers.some(header => header['ce_contentencoding'] === 'gzip'))
    })
  }
})
