import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** A run of the program. */
export interface Run {
  stdout: string
  stderr: string
  readonly exit: Promise<number | NodeJS.Signals | null>
  /** Resolves when the text has appeared on standard output or standard error; rejects when the program ended first. */
  until(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Nobody reads standard output any more. */
  closeOutput(): void
}

const main = join(import.meta.dirname, '../../cli/main.js')
const running = new Set<{ kill(signal: NodeJS.Signals): void }>()
process.on('exit', () => {
  for (const one of running) one.kill('SIGKILL')
})

/** Starts the program, with nothing in its environment that configures it but `env`; it is killed after `timeoutMs`. */
export function start(args: readonly string[], env: Record<string, string> = {}, timeoutMs = 20_000): Run {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:KAFKA_|INFERENCE_|NODE_TEST_CONTEXT$)/.test(name)
  )
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL'
  })
  running.add(child)
  const exit = new Promise<number | NodeJS.Signals | null>(resolve => {
    child.on('close', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal)
    })
  })
  const run: Run = {
    stdout: '',
    stderr: '',
    exit,
    until: text =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!run.stdout.includes(text) && !run.stderr.includes(text)) return
          child.stdout.off('data', look)
          child.stderr.off('data', look)
          resolve()
        }
        child.stdout.on('data', look)
        child.stderr.on('data', look)
        void exit.then(code =>
          reject(new Error(`ended (${code}) before ${JSON.stringify(text)}:\n${run.stdout}${run.stderr}`))
        )
        look()
      }),
    kill: signal => child.kill(signal),
    closeOutput: () => child.stdout.destroy()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (run.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (run.stderr += text))
  return run
}
