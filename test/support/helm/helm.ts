import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubernetesObject } from '../kubernetes/client.ts'
import { repositoryRoot } from '../kafka/tools.ts'
import { helmTool } from './tools.ts'

/** An object as a template rendered it. */
export interface Rendered extends KubernetesObject {
  kind: string
  metadata: NonNullable<KubernetesObject['metadata']> & { name: string }
  spec?: Record<string, unknown>
  data?: Record<string, string>
}

/** Helm did not end with 0. */
export class HelmError extends Error {}

const timeoutMs = 120_000

/** Where the chart is. */
export function chartFolder(): string {
  return join(repositoryRoot(), 'charts', 'inference-logger')
}

/** Names of the values files that are there for tests, without `-values.yaml`. */
export function ciValues(): string[] {
  return readdirSync(join(chartFolder(), 'ci')).map(name => name.replace(/-values\.yaml$/, ''))
}

/** Path of one of them. */
export function ciFile(name: string): string {
  return join(chartFolder(), 'ci', `${name}-values.yaml`)
}

/** Helm with a home of its own, which nobody's configuration changes. */
export class Helm {
  readonly #program: string
  readonly #home: string
  readonly #kubeconfig: string

  private constructor(program: string, home: string, kubeconfig: string) {
    this.#program = program
    this.#home = home
    this.#kubeconfig = kubeconfig
  }

  /** @param kubeconfig the cluster's; without it nothing may need one */
  static async create(kubeconfig = '/nonexistent'): Promise<Helm> {
    return new Helm(await helmTool('helm'), mkdtempSync(join(tmpdir(), 'inference-logger-helm-')), kubeconfig)
  }

  /**
   * Runs Helm to its end; what it printed.
   * @throws {HelmError} with what it printed, when it failed
   */
  async run(...args: readonly string[]): Promise<string> {
    return (await this.#run(args)).output
  }

  /** The same with what it printed to standard error: logs of hooks' pods. @throws {HelmError} */
  async runLoudly(...args: readonly string[]): Promise<string> {
    const { output, errors } = await this.#run(args)
    return output + errors
  }

  #run(args: readonly string[]): Promise<{ output: string; errors: string }> {
    const env = {
      PATH: process.env['PATH'],
      HOME: this.#home,
      KUBECONFIG: this.#kubeconfig
    }
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, args, {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutMs,
        killSignal: 'SIGKILL'
      })
      let output = ''
      let errors = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      child.once('error', reject)
      child.once('close', code => {
        if (code === 0) resolve({ output, errors })
        else reject(new HelmError(`helm ${args[0]} ended with ${code}: ${errors}${output}`))
      })
    })
  }

  /** What the chart renders with these arguments, in the namespace `logging`, as text. */
  template(...args: readonly string[]): Promise<string> {
    return this.run('template', 'inference-logger', chartFolder(), '--namespace', 'logging', ...args)
  }

  /** The same as objects, hooks included. */
  async render(...args: readonly string[]): Promise<Rendered[]> {
    return objectsOf(await this.template(...args))
  }

  /** Why the chart does not render with these arguments. */
  async refusal(...args: readonly string[]): Promise<string> {
    try {
      await this.template(...args)
    } catch (error) {
      if (error instanceof HelmError) return error.message
      throw error
    }
    throw new Error(`helm template rendered with ${args.join(' ')}`)
  }

  /** Writes values into a file of its own; its path. */
  values(values: object): string {
    const path = join(this.#home, `values-${readdirSync(this.#home).length}.yaml`)
    writeFileSync(path, JSON.stringify(values))
    return path
  }

  /** Deletes its home. */
  close(): void {
    if (existsSync(this.#home)) rmSync(this.#home, { recursive: true, force: true })
  }
}

/** Objects of a YAML text, empty documents left out. @throws {Error} when it is no YAML */
export function objectsOf(text: string): Rendered[] {
  return parseAllDocuments(text).flatMap(document => {
    const [mistake] = document.errors
    if (mistake) throw mistake
    const object = document.toJS() as Rendered | null
    return object === null ? [] : [object]
  })
}

/** The only object of a kind with that name, or with that end of a name. @throws {Error} when it is not there */
export function objectOf(objects: readonly Rendered[], kind: string, name = ''): Rendered {
  const [found, ...more] = objects.filter(each => each.kind === kind && each.metadata.name.endsWith(name))
  if (found === undefined || more.length > 0) throw new Error(`${found ? 'more than one' : 'no'} ${kind} ${name}`)
  return found
}
