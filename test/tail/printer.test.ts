import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { coloursOf } from '../../cli/tail/colours.ts'
import type { Style } from '../../cli/tail/format.ts'
import { Printer } from '../../cli/tail/printer.ts'
import type { ConsumedRecord } from '../../cli/tail/record.ts'
import { assertGolden, eventOf, fixtures, formats, plain, recordIn, recordWith } from './support.ts'

function print(records: readonly ConsumedRecord[], style: Style = plain): string {
  const printer = new Printer(() => style)
  return records.map(record => printer.print(record)).join('')
}

for (const format of formats) {
  test(`captured requests in format ${format}`, () => {
    assertGolden(format, print(fixtures.map(one => recordIn(format, eventOf(one)))))
  })
}

test('colours', () => {
  const [request, response] = fixtures.filter(({ name }) => name.includes('v0.20__v2-binary'))
  const records = [request, response].flatMap(one => (one === undefined ? [] : [recordIn('cloudevent', eventOf(one))]))
  assertGolden('colours', print(records, { ...plain, colours: coloursOf(true), showPosition: true }))
})

const withoutRecordedTime = {
  ce_id: 'r-1',
  ce_type: 'org.kubeflow.serving.inference.request',
  ce_inferenceservicename: 'iris',
  ce_component: 'predictor',
  ce_time: '2026-11-22T23:59:59.9994Z'
}
const request = { ...withoutRecordedTime, ce_recordedtime: '2026-11-22T23:59:59.9995Z' }
const response = {
  ...request,
  ce_type: 'org.kubeflow.serving.inference.response',
  ce_time: '2026-11-23T00:02:04.9994Z'
}

test('pairs', () => {
  const sentAt = (time: string): Record<string, string> => ({
    ...withoutRecordedTime,
    ce_type: response.ce_type,
    ce_time: time
  })
  const records = [
    recordWith(request, 'asked'),
    recordWith(response, 'answered two minutes and a day later'),
    recordWith(response, 'the response first'),
    recordWith(request, 'and its request'),
    recordWith(request, 'repeated once'),
    recordWith(request, 'repeated twice'),
    recordWith({ ...response, ce_component: 'transformer' }, 'of another component'),
    recordWith(sentAt('2026-11-23T00:00:00Z'), 'with the time of sending'),
    recordWith(request, 'asked again'),
    recordWith(sentAt('2026-11-22T23:00:00Z'), 'sent before its request'),
    recordWith({ ...request, ce_time: 'yesterday' }, 'without a time that can be read'),
    recordWith(response, 'then it is not known how long it took')
  ]
  assertGolden('pairs', print(records))
})

test('payloads', () => {
  const chat = ['Hel', 'lo\n', null].map(content =>
    JSON.stringify({ id: 'c', choices: content === null ? [] : [{ delta: { content } }] })
  )
  const payloads: readonly (readonly [string, Buffer | string | null, string?])[] = [
    ['tombstone', null],
    ['empty', ''],
    ['text', 'plain text\twith a tab,\r\na line break and \x1b[31mcolour\x1b[0m', 'text/plain'],
    ['json', '{\n  "instances": [\n    [1, 2]\n  ],\n  "note": "a\\nb"\n}'],
    ['long', JSON.stringify({ instances: Array.from({ length: 100 }, (_, i) => [i, i / 2]) })],
    ['wide', `{"text":"${'漢字と🎉 '.repeat(20)}"}`],
    ['accents', `{"text":"${'e\u0301'.repeat(100)}"}`],
    ['binary', Buffer.from([0, 1, 2, 0xff, 0xfe])],
    ['image', Buffer.alloc(70_000, 0xd8)],
    ['grpc', Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), Buffer.from('hello')]), 'application/grpc'],
    ['gzip', gzipSync('{"instances":[[1,2,3]]}')],
    ['bad gzip', Buffer.concat([gzipSync('{"instances":[[1,2,3]]}').subarray(0, 20), Buffer.alloc(9)])],
    ['bomb', gzipSync(Buffer.alloc(40 * 1024 * 1024))],
    ['twice', gzipSync(gzipSync('{"a":1}'))],
    ['chat', [...chat, '[DONE]'].map(data => `data: ${data}\n\n`).join('')],
    ['stream', 'event: tick\r\ndata: {"n":1}\r\n\r\n: comment\r\n\r\ndata: one\r\ndata: two\r\n\r\n'],
    [
      'tensors',
      Buffer.concat([
        Buffer.from(
          '{"id":"\\"}","inputs":[{"parameters":{"binary_data_size":3}},{"data":[1]},{"parameters":{"binary_data_size":2}}]}'
        ),
        Buffer.from([1, 2, 3, 4, 5])
      ])
    ],
    ['not tensors', '{"inputs":[{"parameters":{"binary_data_size":3}}]}{"second":1}']
  ]
  const records = payloads.map(([id, value, contentType]) =>
    recordWith({ ...request, ce_id: id, ...(contentType === undefined ? {} : { 'content-type': contentType }) }, value)
  )
  assertGolden('payloads', print(records))
})

test('records that are no inference', () => {
  const feedback = { ...request, ce_type: 'io.seldon.serving.feedback' }
  assertGolden(
    'others',
    print(
      [
        recordWith({}, '{"any":"thing"}', { offset: 7 }),
        recordWith({}, null, { timestamp: undefined }),
        recordWith(feedback, '{"reward":1}'),
        recordWith({ ce_type: 'a.request' }, 'neither id nor time'),
        recordWith({ ...request, ce_id: 'x'.repeat(500), ce_inferenceservicename: 'm'.repeat(500) }, 'long names'),
        recordWith({ ...request, ce_id: '0009174a-24a8-4603-b098-09c8799950e9' }, 'a UUID')
      ],
      { ...plain, showPosition: true }
    )
  )
})

test('a narrow terminal, and none', () => {
  const records = fixtures.slice(0, 4).map(one => recordIn('cloudevent', eventOf(one)))
  assertGolden('narrow', print(records, { ...plain, columns: 40 }))
  assertGolden('wide', print(records, { ...plain, columns: Infinity }))
})
