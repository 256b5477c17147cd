import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../kafka/ports.ts'
import { atEnd } from './at-end.ts'
import type { ScrapeJob } from './targets.ts'

/** What Prometheus is configured with. */
export interface PrometheusOptions {
  readonly scrapeIntervalMs: number
  readonly jobs: readonly ScrapeJob[]
  /** Absolute paths. */
  readonly ruleFiles?: readonly string[]
}

/** One series of an answer: times in s since 1970. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly (readonly [time: number, value: number])[]
}

/** A rule as Prometheus has evaluated it. */
export interface EvaluatedRule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
  readonly alerts: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
    readonly state: string
    readonly value: string
  }[]
}

interface Answer<T> {
  readonly status: string
  readonly data: T
  readonly error?: string
}

interface QueryResult {
  readonly resultType: string
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>
    readonly value?: readonly [number, string]
    readonly values?: readonly (readonly [number, string])[]
  }[]
}

const startTimeoutMs = 30_000

/** A real Prometheus on a port of 127.0.0.1, with data of its own that goes with it. */
export class Prometheus {
  readonly url: string
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #end: () => void
  #log = ''

  private constructor(folder: string, port: number) {
    this.url = `http://127.0.0.1:${port}`
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, GOMAXPROCS: '1' } }
    )
    this.#child = child
    child.stderr.on('data', (text: Buffer) => (this.#log = (this.#log + text.toString()).slice(-10_000)))
    this.#exited = new Promise(resolve => {
      child.once('error', error => (this.#log += error.message))
      child.once('close', () => resolve())
    })
    this.#end = atEnd(() => {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    })
  }

  /** Starts one and waits until it is ready. Rejects with its log. */
  static async start({ scrapeIntervalMs, jobs, ruleFiles = [] }: PrometheusOptions): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'inference-logger-prometheus-'))
    const interval = `${scrapeIntervalMs}ms`
    const config = {
      global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
      rule_files: ruleFiles,
      scrape_configs: jobs
    }
    // JSON is YAML.
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
    const [port = 0] = await freePorts(1)
    const prometheus = new Prometheus(folder, port)
    try {
      await prometheus.#ready()
      return prometheus
    } catch (error) {
      await prometheus.close()
      throw error
    }
  }

  /** Evaluates an expression at a moment: a scalar is a series without labels. @throws {Error} with what Prometheus says */
  async query(expression: string, at: Date = new Date()): Promise<Series[]> {
    return seriesOf(await this.#api<QueryResult>('query', { query: expression, time: String(at.getTime() / 1000) }))
  }

  /** Evaluates an expression over a time. @throws {Error} with what Prometheus says */
  async queryRange(expression: string, from: Date, to: Date, stepSeconds: number): Promise<Series[]> {
    const range = { start: String(from.getTime() / 1000), end: String(to.getTime() / 1000), step: String(stepSeconds) }
    return seriesOf(await this.#api<QueryResult>('query_range', { query: expression, ...range }))
  }

  /** The label sets of the series that a selector matches. */
  series(selector: string): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#api('series', { 'match[]': selector })
  }

  /** All rules, as they were evaluated last. */
  async rules(): Promise<EvaluatedRule[]> {
    const { groups } = await this.#api<{ groups: { rules: EvaluatedRule[] }[] }>('rules', {})
    return groups.flatMap(({ rules }) => rules)
  }

  /** Ends it, and deletes its data. */
  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    this.#end()
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + startTimeoutMs
    for (;;) {
      const status = await httpGet(`${this.url}/-/ready`).then(
        answer => answer.status,
        () => 0
      )
      if (status === 200) return
      if (this.#child.exitCode !== null || this.#child.pid === undefined) {
        throw new Error(`Prometheus has ended:\n${this.#log}`)
      }
      if (performance.now() > deadline) {
        throw new Error(`Prometheus is not ready after ${startTimeoutMs} ms:\n${this.#log}`)
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  async #api<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const { body } = await httpGet(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
    const answer = JSON.parse(body) as Answer<T>
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${JSON.stringify(parameters)}`)
    return answer.data
  }
}

function seriesOf({ resultType, result }: QueryResult): Series[] {
  if (resultType === 'scalar') {
    const [time, value] = result as unknown as readonly [number, string]
    return [{ labels: {}, points: [[time, Number(value)]] }]
  }
  return result.map(({ metric, value, values = value === undefined ? [] : [value] }) => ({
    labels: metric,
    points: values.map(([time, text]) => [time, numberOf(text)] as const)
  }))
}

function numberOf(text: string): number {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text)
}

function httpGet(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 30_000 }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error(`GET ${url}: no answer`)))
    request.on('error', reject)
  })
}
