import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

/** A line of the program's log: pino's JSON; a line that is no JSON has it all in `msg` and the level `none`. */
export interface LogLine {
  level: string
  msg: string
  [field: string]: unknown
}

/** How the process ended: one of both is null. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** How {@link SidecarProcess.spawn} starts the program. */
export interface SpawnOptions {
  command?: 'sidecar' | 'gateway'
  /** Arguments of node itself, in front of the script: `--import` and the module that puts a fault in. */
  nodeArguments?: readonly string[]
}

/** Samples by name with labels as they are printed: `name{label="value"}`. */
export type Metrics = Map<string, number>

const startTimeoutMs = 15_000
const running = new Set<ChildProcess>()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll()
    process.kill(process.pid, signal)
  })
}
process.once('exit', killAll)

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'inference-logger-sidecar-'))
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** The built program (dist/cli/main.js) as a process of its own, on ports that it picks itself. */
export class SidecarProcess {
  /** Everything logged so far, in order. */
  readonly logs: LogLine[] = []
  /** Resolves when the process has ended and its log is complete. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #errors = ''
  #url = ''
  #opsUrl = ''

  private constructor(env: Record<string, string>, { command = 'sidecar', nodeArguments = [] }: SpawnOptions) {
    // The default is one for the whole machine, and dead letters are kept in every durability.
    const folder = env['INFERENCE_LOGGER_JOURNAL_DIR'] === undefined ? temporaryFolder() : undefined
    const child = spawn(process.execPath, [...nodeArguments, mainScript(), command], {
      env: {
        ...inherited(),
        INFERENCE_LOGGER_LISTEN: '127.0.0.1:0',
        INFERENCE_LOGGER_OPS_LISTEN: '127.0.0.1:0',
        INFERENCE_LOGGER_DURABILITY: 'memory',
        ...(folder === undefined ? {} : { INFERENCE_LOGGER_JOURNAL_DIR: folder }),
        ...env
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#child = child
    running.add(child)
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', line => this.logs.push(parseLogLine(line)))
    child.stderr.on('data', (text: Buffer) => (this.#errors += text.toString()))
    this.exited = new Promise(resolve => {
      child.once('error', error => (this.#errors += error.message))
      child.once('close', (code, signal) => {
        running.delete(child)
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
        resolve({ code, signal })
      })
    })
  }

  /**
   * Starts `inference-logger <command>` and waits until it says that it is ready. Of this process's environment it gets
   * nothing that configures it; `env` adds to durability `memory` and to addresses on 127.0.0.1. Rejects with what the
   * program said when it ends, or is not ready after 15 s.
   */
  static async start(env: Record<string, string>, command: 'sidecar' | 'gateway' = 'sidecar'): Promise<SidecarProcess> {
    const sidecar = SidecarProcess.spawn(env, { command })
    try {
      await sidecar.ready()
      return sidecar
    } catch (error) {
      await sidecar.close()
      throw error
    }
  }

  /** The same without waiting: for processes that may die before they are ready. Close it in the end. */
  static spawn(env: Record<string, string>, options: SpawnOptions = {}): SidecarProcess {
    return new SidecarProcess(env, options)
  }

  /** Waits until the program says that it is ready. Rejects with what it said when it ends, or is not ready after 15 s. */
  async ready(): Promise<void> {
    const ready = await this.waitForLog(({ msg }) => msg === 'ready', 'ready', startTimeoutMs)
    this.#url = `http://${(ready['listen'] as string[])[0]}`
    this.#opsUrl = `http://${ready['ops'] as string}`
  }

  /** Where events go. */
  get url(): string {
    return this.#url
  }

  /** Where `/metrics`, `/healthz`, `/readyz` and `/status` are. */
  get opsUrl(): string {
    return this.#opsUrl
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What came on standard error, where nothing should come. */
  get stderr(): string {
    return this.#errors
  }

  async metrics(): Promise<Metrics> {
    return parseMetrics((await this.get('/metrics')).body)
  }

  /** The JSON of `/status`. */
  async status(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.get('/status')).body) as Record<string, unknown>
  }

  /** What a path of the operations port answers. */
  get(path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const req = request(this.#opsUrl + path, { agent: false }, response => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => (body += text))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        response.on('error', reject)
      })
      req.on('error', reject)
      req.setTimeout(10_000, () => req.destroy(new Error(`GET ${path}: no answer in 10 s`)))
      req.end()
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Scrapes until `condition` holds. Rejects after `timeoutMs` with `what`, the counters and the end of the log. */
  async waitFor(what: string, condition: (metrics: Metrics) => boolean, timeoutMs = 30_000): Promise<Metrics> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const metrics = await this.metrics()
      if (condition(metrics)) return metrics
      if (performance.now() > deadline) throw new Error(this.#report(what, timeoutMs, metrics))
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** The first log line for which `condition` holds, also one of long ago. Rejects after `timeoutMs` with the log. */
  async waitForLog(condition: (line: LogLine) => boolean, what: string, timeoutMs = 30_000): Promise<LogLine> {
    const deadline = performance.now() + timeoutMs
    let ended = false
    void this.exited.then(() => (ended = true))
    for (;;) {
      const line = this.logs.find(condition)
      if (line) return line
      if (ended) throw new Error(this.#report(`${what} (and the process has ended)`, timeoutMs))
      if (performance.now() > deadline) throw new Error(this.#report(what, timeoutMs))
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  /** SIGKILL, unless it has ended already. */
  async close(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  #report(what: string, timeoutMs: number, metrics: Metrics = new Map()): string {
    const counters = [...metrics].filter(([name]) => name.startsWith('inference_logger_events_'))
    return [
      `not within ${timeoutMs} ms: ${what}`,
      ...counters.map(([name, value]) => `${name} ${value}`),
      ...this.logs.slice(-30).map(line => JSON.stringify(line)),
      this.#errors
    ].join('\n')
  }
}

/** The sum of a metric over all its labels; 0 when it has no sample. */
export function total(metrics: Metrics, name: string): number {
  let sum = 0
  for (const [sample, value] of metrics) if (sample === name || sample.startsWith(`${name}{`)) sum += value
  return sum
}

/** Prometheus's text format; a sample that is not `name[{labels}] value` throws. */
export function parseMetrics(text: string): Metrics {
  const metrics: Metrics = new Map()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name, value] = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`)
    metrics.set(name, value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value))
  }
  return metrics
}

/** Reads a line of the program's log. */
export function parseLogLine(line: string): LogLine {
  try {
    const json: unknown = JSON.parse(line)
    if (typeof json === 'object' && json !== null && 'msg' in json) return json as LogLine
  } catch {
    // Not every line is pino's: a crash of Node's is plain text, and the tests want to see it.
  }
  return { level: 'none', msg: line }
}

/** This process's environment without what would configure the program or tell it that it is a test. */
function inherited(): NodeJS.ProcessEnv {
  const notInherited = /^(?:KAFKA_|INFERENCE_|NODE_TEST_CONTEXT$|POD_|NODE_NAME$|REVISION$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !notInherited.test(name)))
}

/** The built program's entry point. */
export function mainScript(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return join(folder, 'dist', 'cli', 'main.js')
}
