import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Guard } from './guard.ts'

const patienceMs = 10_000

/**
 * Programs in the background that share a folder, with a log file each. They do not outlive this process, also when that
 * is killed, and the folder does not either.
 */
export class Processes {
  /** Where the programs may keep what they want; deleted with them. */
  readonly folder: string
  readonly #guard: Guard
  readonly #running = new Map<string, { child: ChildProcess; exited: Promise<void> }>()

  /** @param folder exists, and is theirs alone */
  constructor(folder: string) {
    this.folder = folder
    this.#guard = new Guard(folder)
  }

  /** Starts a program under a name of its own; its output goes to `<name>.log` in the folder, behind what is there. */
  start(name: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
    if (this.#running.has(name)) throw new Error(`${name} is running`)
    const log = openSync(this.#logFile(name), 'a')
    // Its own process group: an interrupt from the terminal goes to the tests, which then stop it in their own order.
    const child = spawn(program, args, { cwd: this.folder, env, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#guard.watch(child)
    const exited = new Promise<void>(resolve => {
      const gone = (): void => {
        this.#running.delete(name)
        resolve()
      }
      child.once('error', gone)
      child.once('exit', gone)
    })
    this.#running.set(name, { child, exited })
    return child
  }

  /** Of those that run. */
  get pids(): number[] {
    return [...this.#running.values()].flatMap(({ child }) => child.pid ?? [])
  }

  isRunning(name: string): boolean {
    return this.#running.has(name)
  }

  /** The end of a program's log. */
  log(name: string, characters = 4000): string {
    try {
      return readFileSync(this.#logFile(name), 'utf8').slice(-characters)
    } catch {
      return ''
    }
  }

  /** Sends a signal and waits until the program has ended; SIGKILL after 10 s. Nothing happens when it is not running. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const program = this.#running.get(name)
    if (!program) return
    program.child.kill(signal)
    const impatience = setTimeout(() => program.child.kill('SIGKILL'), patienceMs)
    await program.exited
    clearTimeout(impatience)
  }

  /** Waits until `ready` says true. Rejects with the end of the log when the program ends, or after `timeoutMs`. */
  async waitFor(name: string, ready: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await ready())) {
      if (!this.isRunning(name)) throw new Error(`${name} ended while starting:\n${this.log(name)}`)
      if (performance.now() > deadline) throw new Error(`${name} not ready after ${timeoutMs} ms:\n${this.log(name)}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** Kills what still runs, youngest first, and deletes the folder. */
  async close(): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) await this.stop(name, 'SIGKILL')
    this.#guard.dismiss()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  #logFile(name: string): string {
    return join(this.folder, `${name}.log`)
  }
}
