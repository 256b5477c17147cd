import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

/** A JSON line on a process's standard output with `msg: "ready"`. */
export interface ReadyLine {
  msg: 'ready'
  listen?: string[]
  /** One address, or several. */
  ops?: string | string[]
  brokers?: string
}

/** A process that the bench started and has to end. */
export interface Child {
  process: ChildProcess
  pid: number
  /** The last lines it wrote, for error messages. */
  tail: string[]
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts a process whose output is kept for error messages.
 *
 * @param onLine receives every line of standard output
 * @throws Error when it cannot be started
 */
export async function start(
  command: string,
  args: string[],
  env: Record<string, string>,
  onLine: (line: string) => void = () => {}
): Promise<Child> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  await once(child, 'spawn')
  running.add(child)
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', line => {
      tail.push(line)
      if (tail.length > 40) tail.shift()
      if (stream === child.stdout) onLine(line)
    })
  }
  child.stdin.on('error', () => {})
  const exited = once(child, 'exit').then(() => running.delete(child))
  return {
    process: child,
    pid: child.pid ?? 0,
    tail,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await exited
      clearTimeout(killer)
    }
  }
}

/**
 * Starts a process and waits for its ready line.
 *
 * @returns the process, its ready line, and the milliseconds from the start to that line
 * @throws Error when it ends, or says nothing for 15 seconds
 */
export async function startUntilReady(
  command: string,
  args: string[],
  env: Record<string, string>
): Promise<{ child: Child; ready: ReadyLine; readyMs: number }> {
  const started = performance.now()
  let onReady: (line: ReadyLine) => void = () => {}
  const readyLine = new Promise<ReadyLine>(resolve => (onReady = resolve))
  const child = await start(command, args, env, line => {
    if (!line.includes('"ready"')) return
    const parsed = parseReady(line)
    if (parsed) onReady(parsed)
  })
  const timeout = new AbortController()
  const ended = once(child.process, 'exit', { signal: timeout.signal }).then(() => 'ended' as const)
  const tooLate = new Promise<'late'>(resolve => {
    const timer = setTimeout(() => resolve('late'), 15_000)
    timeout.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  const ready = await Promise.race([readyLine, ended, tooLate])
  const readyMs = performance.now() - started
  timeout.abort()
  ended.catch(() => {})
  if (typeof ready === 'string') {
    await child.stop()
    throw new Error(`${args.join(' ')} did not get ready:\n${child.tail.join('\n')}`)
  }
  return { child, ready, readyMs }
}

function parseReady(line: string): ReadyLine | undefined {
  try {
    const parsed = JSON.parse(line) as { msg?: unknown }
    return parsed.msg === 'ready' ? (parsed as ReadyLine) : undefined
  } catch {
    return undefined
  }
}
