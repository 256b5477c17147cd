import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from './engine.ts'

/** One line of the program's log. */
export type LogLine = Readonly<Record<string, unknown>>

// A container that a killed test run leaves behind ends by itself.
const lifetimeSeconds = 300

/** A running container, started as a cluster with strict policies would start it. */
export class Container {
  readonly #engine: Engine
  readonly #name: string

  private constructor(engine: Engine, name: string) {
    this.#engine = engine
    this.#name = name
  }

  /**
   * Starts the image's default command on the host's network, with a root nobody can write to, no capabilities, a user
   * id that no file of the image knows, and one writable folder: the journal's.
   */
  static async start(engine: Engine, image: string, user: string, env: Record<string, string>): Promise<Container> {
    const name = `inference-logger-test-${randomBytes(4).toString('hex')}`
    await engine.run('podman', [
      'run',
      '--detach',
      `--name=${name}`,
      `--timeout=${lifetimeSeconds}`,
      '--pull=never',
      '--network=host',
      '--log-driver=k8s-file',
      `--user=${user}`,
      '--read-only',
      '--read-only-tmpfs=false',
      '--cap-drop=all',
      '--security-opt=no-new-privileges',
      '--mount=type=tmpfs,destination=/var/lib/inference-logger,tmpfs-size=64m,tmpfs-mode=0777,notmpcopyup',
      ...Object.entries(env).map(([key, value]) => `--env=${key}=${value}`),
      image
    ])
    return new Container(engine, name)
  }

  /** What the program has written so far. */
  output(): Promise<string> {
    return this.#engine.run('podman', ['logs', this.#name])
  }

  /** Waits for the first log line with a message; an error has the whole output. */
  async logged(message: string, timeoutMs: number): Promise<LogLine> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const output = await this.output()
      const line = logLines(output).find(({ msg }) => msg === message)
      if (line !== undefined) return line
      const state = await this.#engine.run('podman', ['inspect', '--format', '{{.State.Status}}', this.#name])
      if (Date.now() > deadline || state.trim() !== 'running') {
        throw new Error(`no log line "${message}" from a container that is ${state.trim()}:\n${output}`)
      }
      await sleep(100)
    }
  }

  /** Runs a program in the running container. */
  exec(...command: string[]): Promise<string> {
    return this.#engine.run('podman', ['exec', this.#name, ...command])
  }

  /** Sends SIGTERM, as the kubelet does, and gives the exit code and how long the end took. */
  async terminate(graceMs: number): Promise<{ code: number; tookMs: number }> {
    const from = Date.now()
    await this.#engine.run('podman', ['kill', '--signal=TERM', this.#name])
    const code = await this.#engine.run('podman', ['wait', '--interval=50ms', this.#name], {
      signal: AbortSignal.timeout(graceMs)
    })
    return { code: Number(code.trim()), tookMs: Date.now() - from }
  }

  /** Removes the container, running or not. */
  async remove(): Promise<void> {
    await this.#engine.run('podman', ['rm', '--force', '--time=0', this.#name])
  }
}

function logLines(output: string): LogLine[] {
  return output.split('\n').flatMap(line => {
    try {
      return [JSON.parse(line) as LogLine]
    } catch {
      return []
    }
  })
}
