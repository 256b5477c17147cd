import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../kafka/index.ts'

/** Kinds of calls that can be made to fail: see disk-fault.c. */
export type DiskCall =
  'write' | 'short-write' | 'sync' | 'create' | 'read' | 'bulk-read' | 'unlink' | 'rename' | 'truncate'

/** Files below a folder, for a process that is started with `env`, whose calls fail while they are told to. */
export class DiskFault {
  readonly env: Record<string, string>
  readonly #state: string
  readonly #flag: string

  /** @param folder has to exist */
  constructor(folder: string) {
    this.#state = mkdtempSync(join(tmpdir(), 'inference-logger-fault-'))
    this.#flag = join(this.#state, 'flag')
    this.env = {
      LD_PRELOAD: library(),
      DISK_FAULT_FOLDER: realpathSync(folder),
      DISK_FAULT_FLAG: this.#flag
    }
  }

  /** From now on these calls fail. */
  set(faults: Partial<Record<DiskCall, 'ENOSPC' | 'EIO' | 'EROFS'>>): void {
    const lines = Object.entries(faults).map(([call, error]) => `${call} ${error}\n`)
    // In one step: a reader sees all of it, or none.
    writeFileSync(`${this.#flag}.new`, lines.join(''))
    renameSync(`${this.#flag}.new`, this.#flag)
  }

  /** They work again. */
  clear(): void {
    rmSync(this.#flag, { force: true })
  }

  close(): void {
    rmSync(this.#state, { recursive: true, force: true })
  }
}

/** A file system of its own, in memory, that can be full or read-only. */
export class Mount {
  readonly folder: string

  /** @param size as mount(8) takes it: `4m` */
  constructor(size: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'inference-logger-mount-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.folder])
  }

  /** Changes options: `size=16m`, `ro`, `rw`. */
  remount(options: string): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.folder])
  }

  close(): void {
    execFileSync('umount', ['--lazy', this.folder])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The compiled disk-fault.c, from the cache or made now. */
function library(): string {
  const source = join(repositoryRoot(), 'test', 'support', 'faults', 'disk-fault.c')
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12)
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'inference-logger')
  const path = join(cache, `disk-fault-${digest}.so`)
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true })
    const unfinished = `${path}.${process.pid}`
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', unfinished, source, '-ldl'])
    renameSync(unfinished, path)
  }
  return path
}

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    new Mount('64k').close()
    return true
  } catch {
    return false
  }
}

function runs(command: string, argument: string): boolean {
  try {
    execFileSync(command, [argument], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

// Below the class that they use.

/** For a test's `skip`: why calls cannot be made to fail on this machine, or false. With CI=true nothing is skipped. */
export const withoutDiskFaults: string | false =
  process.env['CI'] !== 'true' && !runs('cc', '--version') && 'needs a C compiler, cc (Debian: gcc)'

/** For a test's `skip`: why file systems cannot be mounted, or false. */
export const withoutMounts: string | false =
  process.env['CI'] !== 'true' && !canMount() && 'needs root, and the right to mount a tmpfs'
