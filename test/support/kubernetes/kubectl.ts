import { spawn } from 'node:child_process'

/** What `kubectl` printed. */
export interface KubectlOutput {
  stdout: string
  /** Warnings are here. */
  stderr: string
}

export interface KubectlOptions {
  /** Standard input, for `-f -`: a text, or an object that becomes JSON. */
  input?: string | object
}

/** `kubectl` did not end with 0. */
export class KubectlError extends Error {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string

  constructor(args: readonly string[], code: number | null, { stdout, stderr }: KubectlOutput) {
    super(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim()}`)
    this.code = code
    this.stdout = stdout
    this.stderr = stderr
  }
}

const timeoutMs = 60_000

/** Runs kubectl to its end. Its cache of what the API server has goes into a folder of the caller's. */
export function runKubectl(
  program: string,
  args: readonly string[],
  { input }: KubectlOptions = {}
): Promise<KubectlOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' })
    const output: KubectlOutput = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    child.stdin.on('error', () => {})
    child.stdin.end(input === undefined || typeof input === 'string' ? input : JSON.stringify(input))
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(output)
      else reject(new KubectlError(args, code, output))
    })
  })
}
