import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeEvent } from '../support/events.ts'
import {
  baseName,
  buildImage,
  Container,
  type Engine,
  ensureBase,
  openEngine,
  requireTools,
  withoutImageTools
} from '../support/image/index.ts'
import { repositoryRoot } from '../support/kafka/tools.ts'
import { MockCluster } from '../support/mock-cluster.ts'

const megabyte = 1e6
const maxAboveBase = 15 * megabyte
// A cold build compiles librdkafka; so long only on a machine that is busy with other things.
const buildTimeoutMs = 15 * 60_000
const topic = 'image-test'

interface ImageConfig {
  User: string
  Env: string[]
  Entrypoint: string[]
  Cmd: string[]
  WorkingDir: string
  ExposedPorts: Record<string, unknown>
  Labels: Record<string, string>
}

interface PackageJson {
  version: string
  devDependencies: Record<string, string>
}

describe('the container image', { skip: withoutImageTools }, () => {
  let engine: Engine
  let image: string
  let manifest: PackageJson
  const timings: string[] = []

  async function timed<T>(what: string, work: Promise<T>): Promise<T> {
    const from = performance.now()
    const result = await work
    timings.push(`${what}: ${((performance.now() - from) / 1000).toFixed(1)} s`)
    return result
  }

  before(
    async ({ signal }) => {
      requireTools()
      manifest = JSON.parse(await readFile(join(repositoryRoot(), 'package.json'), 'utf8')) as PackageJson
      engine = await openEngine()
      await timed('stand-in for the base image', ensureBase(engine, { signal }))
      image = await timed('docker build', buildImage(engine, repositoryRoot(), { signal }))
    },
    { timeout: buildTimeoutMs }
  )

  async function inspect<T>(name: string, field: string): Promise<T> {
    return JSON.parse(await engine.run('podman', ['image', 'inspect', '--format', `{{json .${field}}}`, name])) as T
  }

  function runOnce(...args: string[]): Promise<string> {
    return engine.run('podman', ['run', '--rm', '--pull=never', '--network=none', '--timeout=60', ...args])
  }

  /** Every path that the image has and its base has not, or has otherwise. */
  async function changedPaths(): Promise<string[]> {
    const diff = JSON.parse(await engine.run('podman', ['diff', '--format=json', image, baseName])) as {
      added?: string[]
      changed?: string[]
    }
    return [...(diff.added ?? []), ...(diff.changed ?? [])]
  }

  it('is small', async t => {
    const sizes = await Promise.all([inspect<number>(image, 'Size'), inspect<number>(baseName, 'Size')])
    const above = sizes[0] - sizes[1]
    for (const timing of timings) t.diagnostic(timing)
    t.diagnostic(`size above the base: ${(above / megabyte).toFixed(2)} MB`)
    assert.ok(above < maxAboveBase, `${above} bytes above the base`)
  })

  it('runs the gateway as a numbered user who is not root', async () => {
    const config = await inspect<ImageConfig>(image, 'Config')
    assert.deepEqual(config.Entrypoint, ['node', '/app/dist/cli/main.js'])
    assert.deepEqual(config.Cmd, ['gateway'])
    assert.match(config.User, /^[1-9]\d*:[1-9]\d*$/)
    assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ['8080/tcp', '9480/tcp', '9481/tcp'])
    assert.equal(config.Labels['org.opencontainers.image.title'], 'inference-logger')
  })

  it('has what runs and nothing of what built it', async () => {
    const paths = await changedPaths()
    const top = new Set(paths.flatMap(path => /^\/app\/([^/]+)/.exec(path)?.[1] ?? []))
    top.delete('demo')
    assert.deepEqual([...top].sort(), ['LICENSE', 'dist', 'node_modules', 'package.json'])

    const leftovers = paths.filter(
      path =>
        /\.(?:[acho]|cc|cpp|hpp|gyp|mk|ts|mts|cts|map|tgz|deb)$/.test(path) ||
        /\/(?:gcc|g\+\+|cc1plus|make|python3|strip)[^/]*$/.test(path) ||
        /^\/(?:root|tmp|usr\/local|usr\/include|usr\/bin|var\/cache\/apt|var\/lib\/apt\/lists)\/./.test(path) ||
        /\/node_modules\/\.|\/dist\/(?:test|bench|scripts)\//.test(path)
    )
    assert.deepEqual(leftovers, [])

    const developed = Object.keys(manifest.devDependencies).map(name => `/app/node_modules/${name}`)
    assert.deepEqual(
      developed.filter(path => paths.includes(path)),
      []
    )
  })

  it('says its version', async () => {
    assert.equal((await runOnce(image, '--version')).trim(), manifest.version)
  })

  it('gives a new volume for the journal to its user', async () => {
    const volume = `inference-logger-test-${process.pid}`
    try {
      const script = 'echo x > "$1/file" && cat "$1/file"'
      const folder = '/var/lib/inference-logger'
      const args = ['--read-only', '--cap-drop=all', `--volume=${volume}:${folder}`, '--entrypoint=/bin/sh']
      assert.equal(await runOnce(...args, image, '-c', script, 'sh', folder), 'x\n')
    } finally {
      await engine.run('podman', ['volume', 'rm', '--force', volume])
    }
  })

  describe('started as OpenShift does it: a random user, a read-only root', () => {
    let kafka: MockCluster
    let stopKafka: () => Promise<void>
    let container: Container

    before(async () => {
      kafka = await MockCluster.start({ after: stop => (stopKafka = stop) })
      container = await Container.start(engine, image, '1000680000:0', {
        KAFKA_BROKERS: kafka.brokers,
        KAFKA_TOPIC: topic,
        INFERENCE_LOGGER_CREATE_TOPICS: 'false',
        // Nothing sends while it stops: its default would only be waited for.
        INFERENCE_LOGGER_DRAIN_IDLE: '500ms'
      })
      await container.logged('ready', 20_000)
    })

    after(async () => {
      await container.remove()
      await stopKafka()
    })

    it('is that user, and can write to the journal only', async () => {
      const [uid, gid] = (await container.exec('sh', '-c', 'id -u; id -g')).trim().split('\n')
      assert.deepEqual([uid, gid], ['1000680000', '0'])
      await container.exec('touch', '/var/lib/inference-logger/file')
      for (const folder of ['/app', '/tmp', '/var/tmp', '/run']) {
        await assert.rejects(container.exec('touch', `${folder}/file`), /Read-only file system|Permission denied/)
      }
    })

    it('is healthy', async () => {
      assert.equal((await fetch('http://127.0.0.1:9481/healthz')).status, 200)
    })

    it('takes an event on the original port and delivers it', async () => {
      const event = makeEvent(1)
      const reply = await fetch('http://127.0.0.1:8080/', {
        method: 'POST',
        headers: event.headers,
        body: new Uint8Array(event.body)
      })
      assert.equal(reply.status, 200)
      assert.equal(await reply.text(), '')

      const [record] = await kafka.consume(topic, 1, 20_000)
      assert.equal(String(record?.key), event.id)
      const headers = Object.assign({}, ...(record?.headers ?? [])) as Record<string, Buffer>
      assert.equal(String(headers['ce_id']), event.id)
      const envelope = JSON.parse(String(record?.value)) as Record<string, unknown>
      assert.equal(envelope['type'], 'request')
      assert.equal(envelope['id'], event.id)
      assert.deepEqual(envelope['payload'], JSON.parse(event.body.toString()))
    })

    it('keeps its journal where it may write', async () => {
      const metrics = await (await fetch('http://127.0.0.1:9481/metrics')).text()
      assert.match(metrics, /^inference_logger_journal_failing 0$/m)
      assert.match(metrics, /^inference_logger_journal_limit_bytes [1-9]/m)
      await container.exec('test', '-s', '/var/lib/inference-logger/lock')
    })

    it('ends with 0 on SIGTERM, well within its grace period', async t => {
      const { code, tookMs } = await container.terminate(30_000)
      t.diagnostic(`ended after ${tookMs} ms`)
      assert.equal(code, 0, await container.output())
      assert.ok(tookMs < 10_000, `took ${tookMs} ms`)
    })
  })
})
