import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type * as FsExt from 'fs-ext'
import { searchPath } from '../image/tools.ts'
import { repositoryRoot } from '../kafka/index.ts'

/** Names in the kernel and on the machine that are a node's of these tests, and nobody else's. */
export const names = {
  bridge: 'il-test0',
  chain: 'INFERENCE-LOGGER-TEST',
  network: 'inference-logger-test',
  cgroup: 'inference-logger-test'
} as const

/**
 * The place that a machine has for one node. Whoever takes it waits until another run has given it back; what a run left
 * behind is cleaned first. A process of its own cleans in the end, however this one ends.
 */
export class Machine {
  /** Empty at first; everything of the node is in it. */
  readonly folder: string
  readonly #release: () => Promise<void>

  private constructor(folder: string, release: () => Promise<void>) {
    this.folder = folder
    this.#release = release
  }

  /** Takes the place. Rejects when it cannot be cleaned. */
  static async take(): Promise<Machine> {
    const folder = join(await realpath(tmpdir()), 'inference-logger-node')
    const { flock } = createRequire(import.meta.url)('fs-ext') as typeof FsExt
    const lock = await open(`${folder}.lock`, 'w')
    try {
      await promisify<number, 'ex', void>(flock)(lock.fd, 'ex')
      const script = join(repositoryRoot(), 'test', 'support', 'node', 'keeper.sh')
      const args = [script, folder, names.bridge, names.chain, names.network, names.cgroup]
      // The lock goes with the descriptor that the keeper inherits: the next run waits until all is clean again. Its own
      // process group: an interrupt from the terminal goes to the tests.
      const keeper = spawn('sh', args, {
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore', lock.fd],
        env: { ...process.env, PATH: searchPath }
      })
      const exited = new Promise<void>(resolve => keeper.once('close', () => resolve()))
      keeper.unref()
      const { stdin, stdout } = keeper
      if (!stdin || !stdout) throw new Error('the keeper has no pipes')
      await Promise.race([once(stdout, 'data'), exited])
      if (keeper.exitCode !== null) throw new Error(`${script} ended with ${keeper.exitCode}`)
      await mkdir(folder, { mode: 0o755 })
      return new Machine(folder, async () => {
        keeper.ref()
        stdin.end()
        await exited
      })
    } finally {
      await lock.close()
    }
  }

  /** Stops, unmounts and deletes everything of the node, and gives the place back. */
  release(): Promise<void> {
    return this.#release()
  }
}
