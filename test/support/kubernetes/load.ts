import type { KubernetesClient } from './client.ts'
import { podOf } from './kserve.ts'
import { findSidecar } from './pods.ts'

/** What became of admissions under load. */
export interface LoadResult {
  admitted: number
  /** Messages of pods that were refused, or had no sidecar. */
  failures: string[]
}

/** Creates pods without storing them, `clients` at a time, until it is told to stop. */
export class AdmissionLoad {
  readonly #result: LoadResult = { admitted: 0, failures: [] }
  readonly #clients: Promise<unknown>
  #going = true

  constructor(client: KubernetesClient, namespace: string, clients: number) {
    const pod = podOf('logger-localhost', { namespace })
    const create = async (): Promise<void> => {
      while (this.#going) {
        try {
          if (findSidecar(await client.create(pod, { dryRun: true })) === undefined) throw new Error('no sidecar')
          this.#result.admitted++
        } catch (error) {
          this.#result.failures.push((error as Error).message)
        }
      }
    }
    this.#clients = Promise.all(Array.from({ length: clients }, create))
  }

  /** Admissions so far. */
  get admitted(): number {
    return this.#result.admitted
  }

  get failures(): readonly string[] {
    return this.#result.failures
  }

  async stop(): Promise<LoadResult> {
    this.#going = false
    await this.#clients
    return this.#result
  }
}
