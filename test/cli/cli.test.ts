import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AWAY, CliProcess, type Ended, type LogLine } from './cli-process.ts'

const logOf = ({ stdout }: Ended): LogLine[] =>
  stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as LogLine)

describe('inference-logger', { concurrency: 2 }, () => {
  test('--help names every command', async t => {
    const { code, stdout, stderr } = await CliProcess.run(t, ['--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const command of ['sidecar', 'gateway', 'tail', 'demo'])
      assert.match(stdout, new RegExp(`^ +${command}\\b`, 'm'))
  })

  for (const command of ['sidecar', 'gateway', 'tail', 'demo']) {
    test(`${command} --help says what it does, without starting anything`, async t => {
      const { code, stdout, stderr } = await CliProcess.run(t, [command, '--help'])
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, new RegExp(`^Usage: inference-logger ${command}`))
      assert.ok(stdout.split('\n').length > 4)
    })
  }

  test('--version is the package’s', async t => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    assert.deepEqual(await CliProcess.run(t, ['--version']), {
      code: 0,
      signal: null,
      stdout: `${version}\n`,
      stderr: ''
    })
  })

  test('an unknown command or option is an error with the help', async t => {
    for (const args of [['sidcar'], ['sidecar', '--topic', 'x'], ['tail']]) {
      const { code, stderr } = await CliProcess.run(t, args)
      assert.equal(code, 1, args.join(' '))
      assert.match(stderr, /error: (?:unknown|required)[^]*Usage: inference-logger/)
    }
  })

  for (const command of ['sidecar', 'gateway']) {
    test(`${command} without KAFKA_BROKERS exits with 78 and says what it is`, async t => {
      const ended = await CliProcess.run(t, [command])
      assert.deepEqual([ended.code, ended.stderr], [78, ''])
      const [line, ...others] = logOf(ended)
      assert.deepEqual(others, [])
      assert.equal(line?.level, 'fatal')
      assert.match(line.msg, /^KAFKA_BROKERS: is required \(Kafka bootstrap servers/)
    })
  }

  test('every mistake is a line of the log of its own; a secret is not in it', async t => {
    const ended = await CliProcess.run(t, ['sidecar'], {
      KAFKA_BROKERS: 'a b',
      INFERENCE_LOGGER_FORMT: 'hunter2',
      KAFKA_CONFIG_ACKS: 'some',
      KAFKA_CONFIG_SASL_PASWORD: 'hunter2'
    })
    assert.equal(ended.code, 78)
    const lines = logOf(ended)
    assert.deepEqual(lines.map(line => line['variable']).sort(), [
      'INFERENCE_LOGGER_FORMT',
      'KAFKA_BROKERS',
      'KAFKA_CONFIG_ACKS',
      'KAFKA_CONFIG_SASL_PASWORD'
    ])
    assert.ok(lines.every(({ level }) => level === 'fatal'))
    assert.doesNotMatch(ended.stdout, /hunter2/)
  })

  test('properties that contradict each other exit with 1 and librdkafka’s words', async t => {
    const ended = await CliProcess.run(t, ['sidecar'], { ...AWAY, KAFKA_CONFIG_ACKS: '1' })
    assert.deepEqual([ended.code, ended.stderr], [1, ''])
    assert.match(logOf(ended).find(({ level }) => level === 'fatal')?.msg ?? '', /^cannot start: .*acks.*idempotence/i)
  })

  test('a certificate that is not there exits with 1 and names it', async t => {
    const ended = await CliProcess.run(t, ['sidecar'], {
      ...AWAY,
      KAFKA_CONFIG_SECURITY_PROTOCOL: 'ssl',
      KAFKA_CONFIG_SSL_CA_LOCATION: '/does/not/exist.pem'
    })
    assert.equal(ended.code, 1)
    assert.match(
      logOf(ended).find(({ level }) => level === 'fatal')?.msg ?? '',
      /^cannot start: .*(?:ssl\.ca\.location|exist\.pem)/
    )
  })

  for (const variable of ['INFERENCE_LOGGER_LISTEN', 'INFERENCE_LOGGER_OPS_LISTEN']) {
    test(`a port in use exits with 1 and names ${variable}`, async t => {
      const server = createServer()
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      t.after(() => server.close())
      const { port } = server.address() as AddressInfo
      const ended = await CliProcess.run(t, ['sidecar'], { ...AWAY, [variable]: `127.0.0.1:${port}` })
      assert.deepEqual([ended.code, ended.stderr], [1, ''])
      assert.match(
        logOf(ended).find(({ level }) => level === 'fatal')?.msg ?? '',
        new RegExp(`^cannot start: cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use; .*set ${variable}`)
      )
    })
  }

  test('properties come from a file, too, and the gateway has its own defaults', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'inference-logger-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'kafka.properties')
    writeFileSync(file, '# mounted from a Secret\nlinger.ms=7\nsasl.password=hunter2\n')
    const gateway = await CliProcess.start(t, { KAFKA_CONFIG_FILE: file }, 'gateway')
    const ops = gateway.log.find(({ msg }) => msg === 'ready')?.['ops'] as string
    const status = await (await fetch(`http://${ops}/status`)).text()
    const { configuration } = JSON.parse(status) as {
      configuration: { command: string; format: string; kafka: Record<string, string> }
    }
    assert.deepEqual([configuration.command, configuration.format], ['gateway', 'envelope'])
    assert.deepEqual(configuration.kafka, { 'linger.ms': '7', 'sasl.password': '********' })
  })

  test('a warning about an old spelling is in the log', async t => {
    const sidecar = await CliProcess.start(t, { KAFKA_TOPIC_REPLICATIONFACTOR: '1' })
    assert.ok(sidecar.log.some(({ level, msg }) => level === 'warn' && /KAFKA_TOPIC_REPLICATION_FACTOR/.test(msg)))
  })
})
