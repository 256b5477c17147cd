import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** A line of the log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** How a process ended, and all that it wrote. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The executable that was built together with this test. */
const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url))

/**
 * Nothing of this process's environment but what finds programs: no setting, and no sign of a test runner. The journal's
 * default directory is one for the whole machine.
 */
function environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], INFERENCE_LOGGER_DURABILITY: 'memory', ...env }
}

/** What a command on ports of its own needs; Kafka is away. */
export const AWAY = {
  KAFKA_BROKERS: '127.0.0.1:1',
  KAFKA_TOPIC: 'events',
  INFERENCE_LOGGER_LISTEN: '127.0.0.1:0',
  INFERENCE_LOGGER_OPS_LISTEN: '127.0.0.1:0',
  INFERENCE_LOGGER_CREATE_TOPICS: 'false',
  INFERENCE_LOGGER_DRAIN_IDLE: '100ms',
  INFERENCE_LOGGER_GRACE_PERIOD: '2s'
} as const

/** `inference-logger` as a process. */
export class CliProcess {
  /** ms from the spawn to the log line `ready`. */
  readyAfterMs = 0
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #stdout = ''
  #stderr = ''
  #hasEnded = false

  constructor(t: Pick<TestContext, 'after'>, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [MAIN, ...args], { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stdout.on('data', (text: Buffer) => (this.#stdout += text.toString()))
    child.stderr.on('data', (text: Buffer) => (this.#stderr += text.toString()))
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#hasEnded = true
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.#stdout,
        stderr: this.#stderr
      }
    })
    t.after(async () => {
      child.kill('SIGKILL')
      await this.ended
    })
  }

  /** Runs to the end. */
  static run(
    t: Pick<TestContext, 'after'>,
    args: readonly string[],
    env?: Readonly<Record<string, string>>
  ): Promise<Ended> {
    return new CliProcess(t, args, env).ended
  }

  /** Starts a command and waits until it says that it is ready. */
  static async start(
    t: Pick<TestContext, 'after'>,
    env: Readonly<Record<string, string>> = {},
    command = 'sidecar'
  ): Promise<CliProcess> {
    const started = performance.now()
    const self = new CliProcess(t, [command], { ...AWAY, ...env })
    await self.logged(({ msg }) => msg === 'ready')
    self.readyAfterMs = performance.now() - started
    return self
  }

  /** What was logged so far. */
  get log(): LogLine[] {
    const lines = this.#stdout.split('\n').slice(0, -1)
    return lines.map(line => JSON.parse(line) as LogLine)
  }

  /** Where events go. */
  get url(): string {
    const ready = this.log.find(({ msg }) => msg === 'ready')
    return `http://${(ready?.['listen'] as string[])[0]}`
  }

  async logged(wanted: (line: LogLine) => boolean, timeoutMs = 10_000): Promise<LogLine> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const line = this.log.find(wanted)
      if (line !== undefined) return line
      if (this.#hasEnded || Date.now() > deadline) {
        throw new Error(`not logged:\n${this.#stdout}${this.#stderr}`)
      }
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}
