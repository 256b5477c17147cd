import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseSink, sinkOf } from '../../../webhook/decide/sink.ts'
import { podWith } from '../pods.ts'

const BOTH = ['127.0.0.1', '::1']

describe('where a logger’s URL leads', () => {
  for (const [url, expected] of [
    ['http://localhost:9480', { hosts: BOTH, port: 9480 }],
    ['http://LOCALHOST:9480/any/path?and=query', { hosts: BOTH, port: 9480 }],
    ['HTTP://localhost:1024', { hosts: BOTH, port: 1024 }],
    ['http://localhost.:9480/', { hosts: BOTH, port: 9480 }],
    ['http://127.0.0.1:9999', { hosts: ['127.0.0.1'], port: 9999 }],
    ['http://127.8.9.10:9480', { hosts: ['127.8.9.10'], port: 9480 }],
    ['http://[::1]:9480', { hosts: ['::1'], port: 9480 }],
    ['http://[0:0:0:0:0:0:0:1]:9480', { hosts: ['::1'], port: 9480 }],
    ['http://localhost', 'sink_port_privileged'],
    ['http://localhost:443', 'sink_port_privileged'],
    ['http://localhost:1023', 'sink_port_privileged'],
    ['http://localhost:0', 'sink_invalid'],
    ['http://localhost:70000', 'sink_invalid'],
    ['localhost:9480', 'sink_invalid'],
    ['http://', 'sink_invalid'],
    ['//localhost:9480', 'sink_invalid'],
    ['https://localhost:9480', 'sink_https'],
    ['https://127.0.0.1:9480', 'sink_https'],
    ['https://[::1]:9480', 'sink_https'],
    ['https://broker:9480', 'sink_not_loopback'],
    ['http://default-broker', 'sink_not_loopback'],
    ['http://localhost.evil.example:9480', 'sink_not_loopback'],
    ['http://127.0.0.1.evil.example:9480', 'sink_not_loopback'],
    ['http://10.0.0.1:9480', 'sink_not_loopback'],
    ['http://[::2]:9480', 'sink_not_loopback'],
    ['http://0.0.0.0:9480', 'sink_not_loopback'],
    ['s3://bucket/folder', 'sink_not_loopback'],
    ['ftp://localhost:9480', 'sink_not_loopback']
  ] as const) {
    test(`${url} is ${typeof expected === 'string' ? expected : 'a sidecar’s'}`, () => {
      const sink = parseSink(url)
      assert.deepEqual('listen' in sink ? sink.listen : sink.reason.code, expected)
    })
  }

  test('a user, a password, a path and a query, which may be secret, are in no message', () => {
    for (const url of ['http://me:hidden@broker/hidden?key=hidden', 'https://me:hidden@localhost:9480/hidden']) {
      const sink = parseSink(url)
      assert.ok('reason' in sink)
      assert.doesNotMatch(sink.reason.message, /hidden/)
    }
  })
})

describe('which URL counts', () => {
  const from = (pod: object): unknown => {
    const sink = sinkOf(pod as never)
    return 'listen' in sink ? sink.listen.port : sink.reason.code
  }
  const agent = (...args: string[]): object => podWith({ containers: [{ name: 'agent', args }] })
  const annotated = (annotations: Record<string, string>): object => podWith({ annotations })

  test('the agent’s argument, in each form that Go’s flags take', () => {
    assert.equal(from(agent('--log-url', 'http://localhost:2001')), 2001)
    assert.equal(from(agent('--log-url=http://localhost:2002')), 2002)
    assert.equal(from(agent('-log-url=http://localhost:2003', '--x')), 2003)
    assert.equal(from(agent('-log-url', 'http://localhost:2004')), 2004)
    assert.equal(from(agent('--log-url', 'http://a-broker', '--log-url', 'http://localhost:2005')), 2005)
    assert.equal(
      from(podWith({ containers: [{ name: 'agent', command: ['/agent', '--log-url=http://localhost:2006'] }] })),
      2006
    )
  })

  test('KFServing’s own logger container', () => {
    const containers = [{ name: 'inferenceservice-logger', args: ['--log-url', 'http://localhost:2007'] }]
    assert.equal(from(podWith({ containers })), 2007)
  })

  test('without an agent, the annotation, also by its old name', () => {
    assert.equal(from(annotated({ 'internal.serving.kserve.io/logger-sink-url': 'http://localhost:2008' })), 2008)
    assert.equal(from(annotated({ 'internal.serving.kubeflow.org/logger-sink-url': 'http://localhost:2009' })), 2009)
  })

  test('the agent’s argument before the annotation', () => {
    const annotations = { 'internal.serving.kserve.io/logger-sink-url': 'http://a-broker' }
    assert.equal(from(podWith({ annotations, sink: 'http://localhost:2010' })), 2010)
    const other = { 'internal.serving.kserve.io/logger-sink-url': 'http://localhost:2011' }
    assert.equal(from(podWith({ annotations: other, sink: 'http://a-broker' })), 'sink_not_loopback')
  })

  test('an agent without a logger, as for a batcher, says nothing', () => {
    assert.equal(from(agent('--enable-batcher', '--max-batchsize', '32')), 'no_logger')
    assert.equal(from(agent('--log-url')), 'no_logger')
    assert.equal(from(agent('--log-url', '')), 'no_logger')
  })

  test('a logger without a URL, before there is an agent', () => {
    assert.equal(from(annotated({ 'internal.serving.kserve.io/logger': 'true' })), 'sink_unknown')
    assert.equal(from(annotated({ 'internal.serving.kserve.io/logger': 'false' })), 'no_logger')
  })
})
