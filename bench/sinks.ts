import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { start, startUntilReady, type Child } from './child.ts'

/** A running HTTP sink under measurement. */
export interface Sink {
  name: string
  url: string
  pid: number
  /** Milliseconds from the process's start until it took events. */
  readyMs: number
  /** Events that reached Kafka since the start, where the sink tells. */
  delivered?: () => Promise<number>
  /** Takes events with any 2xx; the sidecar has to say 200, which is all that KServe's agent does not log as an error. */
  any2xx: boolean
  /** The sink's last lines of output. */
  tail: string[]
  stop(): Promise<void>
}

export interface SidecarOptions {
  brokers: string
  /** The brokers create topics when asked to; the mock cluster cannot, and has every topic from the start. */
  createTopics: boolean
  durability: string
  /** Further arguments of node, before the program. */
  nodeArgs: string[]
  env?: Record<string, string>
}

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Starts node:http answering an empty 200. */
export async function startBareHttp(): Promise<Sink> {
  const { child, ready, readyMs } = await startUntilReady(process.execPath, [script('./sinks/bare-http.js')], {})
  return sink('bare node:http', `http://${ready.listen?.[0]}/`, readyMs, child)
}

/** Starts the sidecar on ports of the system's choice, with a journal of its own that goes when it stops. */
export async function startSidecar(options: SidecarOptions): Promise<Sink> {
  const journal = mkdtempSync(join(tmpdir(), 'inference-logger-bench-'))
  const args = [...options.nodeArgs, script('../cli/main.js'), 'sidecar']
  const removeJournal = () => rmSync(journal, { recursive: true, force: true })
  const { child, ready, readyMs } = await startUntilReady(process.execPath, args, {
    KAFKA_BROKERS: options.brokers,
    KAFKA_TOPIC: 'bench-inference-topic',
    INFERENCE_LOGGER_DURABILITY: options.durability,
    INFERENCE_LOGGER_LISTEN: '127.0.0.1:0',
    INFERENCE_LOGGER_OPS_LISTEN: '127.0.0.1:0',
    INFERENCE_LOGGER_CREATE_TOPICS: String(options.createTopics),
    // the load has ended when the sidecar is stopped
    INFERENCE_LOGGER_DRAIN_IDLE: '100ms',
    // in memory there is no journal, and a setting without a use may be refused
    ...(options.durability === 'memory' ? {} : { INFERENCE_LOGGER_JOURNAL_DIR: journal }),
    ...options.env
  }).catch((error: unknown) => {
    removeJournal()
    throw error
  })
  const ops = Array.isArray(ready.ops) ? ready.ops[0] : ready.ops
  const sidecar = sink(`sidecar (${options.durability})`, `http://${ready.listen?.[0]}/`, readyMs, child)
  return {
    ...sidecar,
    delivered: () => readCounter(`http://${ops}/metrics`, 'inference_logger_events_delivered_total'),
    stop: async () => {
      await sidecar.stop()
      removeJournal()
    }
  }
}

/**
 * Starts any other sink from a shell command; `{brokers}` in it is replaced.
 *
 * @throws Error when nobody listens at the URL within 30 seconds
 */
export async function startOther(command: string, url: string, brokers: string): Promise<Sink> {
  const started = performance.now()
  // exec: the process measured is the sink, not the shell
  const shell = ['-c', `exec ${command.replaceAll('{brokers}', brokers)}`]
  const child = await start('/bin/sh', shell, { KAFKA_BROKERS: brokers })
  const { hostname, port } = new URL(url)
  while (!(await accepts(hostname.replace(/^\[|\]$/g, ''), Number(port || 80)))) {
    if (performance.now() - started > 30_000 || child.process.exitCode !== null) {
      await child.stop()
      throw new Error(`nothing listens at ${url}:\n${child.tail.join('\n')}`)
    }
    await sleep(5)
  }
  const readyMs = performance.now() - started
  const name = command.split(' ')[0]?.split('/').pop() ?? 'other'
  return { ...sink(name, url, readyMs, child), any2xx: true }
}

function sink(name: string, url: string, readyMs: number, child: Child): Sink {
  return { name, url, pid: child.pid, readyMs, any2xx: false, tail: child.tail, stop: () => child.stop() }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function readCounter(url: string, name: string): Promise<number> {
  const response = await fetch(url)
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  let sum = 0
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) sum += Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  return sum
}
