import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../metrics/running-sidecar.ts'
import { manifestCases, podCases } from '../webhook/golden/cases.ts'
import { injected } from '../webhook/golden/ways.ts'
import { pod, QUIET } from './inject/manifests.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url))
const SETTINGS = ['--image', 'registry.example/inference-logger:1.0.0', '--brokers', 'kafka.example:9092']

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `inference-logger inject` as a process. */
async function run(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {}
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, 'inject', ...args], { env, stdio: 'pipe', timeout: 20_000 })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout: stdout.toString(), stderr: stderr.toString() }
}

function fileWith(t: TestContext, text: string, name = 'it.yaml'): string {
  const file = join(temporaryFolder(t), name)
  writeFileSync(file, text)
  return file
}

describe('inference-logger inject', { concurrency: 2 }, () => {
  test('reads files and standard input, and prints what it does in this process', async t => {
    const [first] = manifestCases
    assert.ok(first)
    const settings = fileWith(t, first.settings, 'settings.yaml')
    const { code, stdout, stderr } = await run(['-f', first.file, '--settings', settings, '-n', 'models'])
    const expected = injected(first.text, first.settings)
    assert.deepEqual([code, stdout, stderr], [0, expected.stdout, expected.stderr])
    const piped = await run(['-f', '-', '--settings', settings, '-n', 'models'], { input: first.text })
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, expected.stdout, expected.stderr])
  })

  test('takes every option', async t => {
    const [one, two] = [fileWith(t, pod('a')), fileWith(t, pod('b', QUIET))]
    const args = [
      '-f',
      one,
      two,
      '-f',
      '-',
      ...SETTINGS,
      '--namespace',
      'models',
      '--output',
      'patch',
      '--report',
      'json'
    ]
    const { code, stdout, stderr } = await run(args, { input: pod('c') })
    assert.equal(code, 0)
    const patches = JSON.parse(stdout) as { name: string; namespace: string; patch: unknown[] }[]
    assert.deepEqual(
      patches.map(({ name, namespace, patch }) => [name, namespace, patch.length > 0]),
      [
        ['a', 'models', true],
        ['b', 'models', false],
        ['c', 'models', true]
      ]
    )
    const entries = JSON.parse(stderr) as { file: string; result: string }[]
    assert.deepEqual(
      entries.map(({ file, result }) => [file, result]),
      [
        [one, 'inject'],
        [two, 'skip'],
        ['-', 'inject']
      ]
    )
  })

  test('exits with 3 and its input when there is nothing to inject', async () => {
    const { code, stdout, stderr } = await run(['-f', '-', ...SETTINGS, '--report', 'none'], { input: pod('a', QUIET) })
    assert.deepEqual([code, stdout, stderr], [3, pod('a', QUIET), ''])
  })

  test('exits with 1 and prints nothing when a pod would be denied', async () => {
    const denied = podCases.find(({ name }) => name === 'wrong-annotations')?.pod
    const { code, stdout, stderr } = await run(['-f', '-', ...SETTINGS], { input: JSON.stringify(denied) })
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(
      stderr,
      /^denied .*topci[^]*format="xml"[^]*\ninference-logger: -: default\/Pod\/misspelt-predictor would be denied; nothing was printed\n$/
    )
  })

  test('exits with 1 and says everything that is wrong with settings and files at once', async t => {
    const settings = fileWith(t, 'image: x\nkafak: {}\n', 'settings.yaml')
    const { code, stdout, stderr } = await run(['-f', 'none.yaml', 'nor-this.yaml', '--settings', settings])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^inference-logger: \S+settings\.yaml: kafak: .*did you mean kafka\?\n/)
    assert.match(
      stderr,
      /\ninference-logger: none\.yaml: there is no such file\ninference-logger: nor-this\.yaml: there is no such file\n$/
    )
  })

  for (const [what, args, message] of [
    ['no file', SETTINGS, /^error: required option '-f, --filename <file\.\.\.>' not specified\n\nUsage: /],
    [
      'no settings',
      ['-f', '-'],
      /^inference-logger: where are the webhook's settings\? Give --settings FILE; the smallest file is\n {2}image: .*\n {2}kafka:\n {4}brokers: .*\nor give --image and --brokers instead of one\n$/
    ],
    ['an image without brokers', ['-f', '-', '--image', 'x'], /^inference-logger: --image needs --brokers, too/],
    ['brokers without an image', ['-f', '-', '--brokers', 'x'], /^inference-logger: --brokers needs --image, too/],
    ['settings twice', ['-f', '-', '--settings', 'x', ...SETTINGS], /^inference-logger: --settings and --image: /],
    [
      'an output that there is not',
      ['-f', '-', ...SETTINGS, '-o', 'toml'],
      /^error: .*-o, --output.*Allowed choices are yaml, json, patch/
    ],
    [
      'a report that there is not',
      ['-f', '-', ...SETTINGS, '--report', 'xml'],
      /^error: .*--report.*Allowed choices are text, json, none/
    ]
  ] as const) {
    test(`exits with 2 for a command line with ${what}`, async () => {
      const { code, stdout, stderr } = await run(args, { input: pod('a') })
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, message)
    })
  }

  test('--help names every option and exit code, and exits with 0', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const name of [
      '-f, --filename',
      '--settings',
      '--image',
      '--brokers',
      '-n, --namespace',
      '-o, --output',
      '--report'
    ]) {
      assert.ok(stdout.includes(`  ${name} <`), name)
    }
    assert.match(stdout, /Exit codes: 0 .*, 3 .*\n1 .*, 2 /)
  })

  test('is quiet when nobody reads what it prints', async t => {
    const many = Array.from({ length: 300 }, (_, index) => pod(`p${index}`, QUIET)).join('---\n')
    const child = spawn(process.execPath, [MAIN, 'inject', '-f', '-', ...SETTINGS, '--report', 'none', '-o', 'json'], {
      stdio: 'pipe',
      timeout: 20_000
    })
    t.after(() => child.kill('SIGKILL'))
    child.stdout.destroy()
    child.stdin.end(many)
    const [stderr] = await Promise.all([buffer(child.stderr), once(child, 'close')])
    assert.deepEqual([child.exitCode, child.signalCode, stderr.toString()], [3, null, ''])
  })

  test('does without node-rdkafka, unless the settings have properties for librdkafka to judge', async t => {
    const hook = fileWith(
      t,
      `const { Module } = require('node:module')
const load = Module._load
Module._load = (request, ...rest) => {
  if (request.includes('node-rdkafka')) process.stderr.write('asked for\\n')
  return load(request, ...rest)
}`,
      'hook.cjs'
    )
    const settings = fileWith(
      t,
      'image: x\nkafka:\n  brokers: kafka:9092\n  config: {compression.codec: zzip}\n',
      'settings.yaml'
    )
    const env = { NODE_OPTIONS: `--require=${hook}` }
    const plain = await run(['-f', '-', ...SETTINGS, '--report', 'none'], { input: pod('a'), env })
    assert.deepEqual([plain.code, plain.stderr], [0, ''])
    const judged = await run(['-f', '-', '--settings', settings], { input: pod('a'), env })
    assert.equal(judged.code, 1)
    assert.match(judged.stderr, /^asked for\n[^]*kafka\.config\.compression\.codec/)
  })
})
