import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { searchPath } from './tools.ts'

/** How a program is run: where, and what ends it early. */
export interface RunOptions {
  cwd?: string
  signal?: AbortSignal
}

/** Runs a program to its end and gives its standard output; an error carries the end of what it printed. */
export type Run = (program: string, args: readonly string[], options?: RunOptions) => Promise<string>

/** buildah and podman with an image store of their own. */
export interface Engine {
  /** Where the image store and whatever else is worth keeping between two runs is. */
  readonly cache: string
  readonly run: Run
}

const outputLimit = 256 * 1024 * 1024
const shownOnError = 6000

function runner(env: NodeJS.ProcessEnv): Run {
  return (program, args, { cwd, signal } = {}) =>
    new Promise((resolve, reject) => {
      execFile(
        program,
        args,
        { env, maxBuffer: outputLimit, ...(cwd === undefined ? {} : { cwd }), ...(signal ? { signal } : {}) },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout)
          else {
            const end = `${stdout}\n${stderr}`.trim().slice(-shownOnError)
            reject(new Error(`${program} ${args.slice(0, 2).join(' ')} failed (${error.code ?? error.signal}): ${end}`))
          }
        }
      )
    })
}

/**
 * Opens the image tier's own store below the user's cache folder, so that the developer's images stay untouched and one
 * folder is all there is to delete. The settings are files because the two programs share no flags for them.
 */
export async function openEngine(): Promise<Engine> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'inference-logger', 'image')
  const store = join(cache, 'store')
  await mkdir(store, { recursive: true })
  const storageConf = join(cache, 'storage.conf')
  const containersConf = join(cache, 'containers.conf')
  // Without skip_mount_home the store stays mounted on itself when everything has ended.
  await writeFile(
    storageConf,
    `[storage]
driver = "overlay"
graphroot = "${store}/images"
runroot = "${store}/run"
[storage.options.overlay]
skip_mount_home = "true"
`
  )
  // The limits podman sets by itself are higher than a sandbox allows; there is no systemd to ask for a cgroup either.
  await writeFile(
    containersConf,
    `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
tmp_dir = "${store}/run/libpod"
`
  )
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: searchPath,
    CONTAINERS_CONF: containersConf,
    CONTAINERS_STORAGE_CONF: storageConf
  }
  return { cache, run: runner(env) }
}
