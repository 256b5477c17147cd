import { execFile, execFileSync } from 'node:child_process'

const programs = ['prometheus', 'promtool'] as const

/**
 * Which of Prometheus's programs are missing, with what to install; empty when all are there. Synchronous, because a test's
 * `skip` option must be known when the test is declared.
 */
export function missingPrometheusTools(): string[] {
  return programs.filter(program => !runs(program)).map(program => `${program} (Debian: prometheus)`)
}

/** For a suite's `skip`: why there can be no Prometheus on this machine, or false. With CI=true nothing is skipped. */
export const withoutPrometheus: string | false = reasonToSkip()

/** Runs promtool. @returns its exit code, and all that it said */
export function promtool(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise(resolve => {
    const child = execFile('promtool', args, { timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr })
    )
  })
}

function reasonToSkip(): string | false {
  if (process.env['CI'] === 'true') return false
  const missing = missingPrometheusTools()
  return missing.length > 0 && `needs ${missing.join(', ')}`
}

function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
