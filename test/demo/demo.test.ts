import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Writable } from 'node:stream'
import { Arrivals } from '../../cli/demo/arrivals.ts'
import { loadCaptured } from '../../cli/demo/captured.ts'
import { runDemo } from '../../cli/demo/run.ts'
import { coloursOf } from '../../cli/tail/colours.ts'
import { Output } from '../../cli/tail/output.ts'
import { start } from '../tail/cli.ts'
import { recordWith } from '../tail/support.ts'

const captured = loadCaptured()

test('the demo shows every event and ends well', async () => {
  const run = start(['demo'])
  assert.equal(await run.exit, 0, run.stdout + run.stderr)
  assert.equal(run.stderr, '')
  assert.match(run.stdout, new RegExp(`✔ All ${captured.length} events arrived`))
  for (const { id } of captured) {
    const lines = run.stdout.split('\n').filter(line => line.includes(`  ${id.slice(0, 8)}  `))
    assert.deepEqual(lines.map(line => (line.includes('→ request') ? 'request' : 'response')).sort(), [
      'request',
      'response'
    ])
  }
  for (const metric of ['received_total{type="request"}', 'received_total{type="response"}'])
    assert.match(
      run.stdout,
      new RegExp(`inference_logger_events_${metric.replace(/[{}]/g, '\\$&')} +0 → ${captured.length / 2}\n`)
    )
  assert.match(run.stdout, new RegExp(`inference_logger_events_delivered_total +0 → ${captured.length}\n`))
  assert.match(run.stdout, /inference_logger_events_pending +0 → 0\n/)
  assert.ok(run.stdout.split('\n').length < 70, 'it fits on a page or two')
  for (const line of run.stdout.split('\n')) assert.ok(line.length <= 120, line)
  assert.doesNotMatch(run.stdout, /\x1b/) // eslint-disable-line no-control-regex
})

test('--keep: the curl line works as it is, and its event is shown', async () => {
  const run = start(['demo', '--keep'])
  await run.until('--json\n')
  const curl = /\n(curl .*?)\n\n/s.exec(run.stdout)?.[1]
  assert.ok(curl, run.stdout)
  const { stdout } = await promisify(execFile)('bash', ['-c', curl])
  assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n/)
  await run.until('  mine-')
  assert.match(
    run.stdout,
    /→ request {3}sklearn-iris {2}mine-\d+ +33 B\n +\{"instances":\[\[6\.8,2\.8,4\.8,1\.4\]\]\}\n/
  )
  run.kill('SIGINT')
  assert.equal(await run.exit, 0, run.stderr)
})

/** Runs the demo in this process with other settings of the sidecar. */
async function demoWith(env: Record<string, string>, patienceMs: number): Promise<{ good: boolean; text: string }> {
  let text = ''
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString()
      done()
    }
  })
  const good = await runDemo({
    output: new Output(stream),
    colours: coloursOf(false),
    columns: () => 100,
    keep: false,
    stop: new AbortController().signal,
    env: { INFERENCE_LOGGER_LOG_LEVEL: 'silent', ...env },
    patienceMs
  })
  return { good, text }
}

test('it fails when events do not arrive', async () => {
  const { good, text } = await demoWith({ KAFKA_BROKERS: '127.0.0.1:1', INFERENCE_LOGGER_GRACE_PERIOD: '100ms' }, 300)
  assert.equal(good, false)
  assert.match(text, /✘ 14 of 14 events did not arrive within 300 ms:\n/)
  for (const { id, name } of captured) assert.ok(text.includes(`${id} (${name})`), name)
  assert.match(text, /The sidecar says: Kafka: /)
  assert.match(text, /inference_logger_events_pending +0 → 14\n/)
})

test('it fails when bytes are not what was sent', async () => {
  const { good, text } = await demoWith({ INFERENCE_LOGGER_FORMAT: 'envelope' }, 5000)
  assert.equal(good, false)
  assert.match(text, /✘ 1 of 14 events did not arrive with the bytes that were sent:\n.*gzip-request-body__request/)
})

test('it fails when events are refused', async () => {
  const { good, text } = await demoWith({ INFERENCE_LOGGER_MAX_EVENT_BYTES: '100' }, 300)
  assert.equal(good, false)
  assert.match(text, /12 of 14 were answered 200/)
  assert.match(text, /✘ 2 of 14 events were not answered 200\./)
})

test('what counts as arrived', () => {
  const event = { name: 'one', id: '1', type: 'a.request', body: Buffer.alloc(0) }
  const arrive = (...records: [string, string, Buffer | null][]) => {
    const arrivals = new Arrivals([event])
    for (const [id, type, value] of records) arrivals.add(recordWith({ ce_id: id, ce_type: type }, value))
    return [arrivals.missing.length, arrivals.altered.length]
  }
  assert.deepEqual(arrive(), [1, 0])
  assert.deepEqual(arrive(['1', 'a.request', Buffer.alloc(0)]), [0, 0])
  assert.deepEqual(arrive(['1', 'a.request', Buffer.alloc(0)], ['1', 'a.request', Buffer.alloc(0)]), [0, 0])
  assert.deepEqual(arrive(['1', 'a.response', Buffer.alloc(0)]), [1, 0])
  assert.deepEqual(arrive(['1', 'a.request', null]), [0, 1])
  assert.deepEqual(arrive(['1', 'a.request', Buffer.from('x')]), [0, 1])
})
