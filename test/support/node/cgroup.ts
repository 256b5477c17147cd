import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { names } from './machine.ts'

/** What the kernel has counted of a container's memory, in bytes. */
export interface MemoryUse {
  /** The most that was charged at a time: page cache of the journal included, so often the limit. */
  peak: number
  /** Anonymous memory now: what cannot be dropped. */
  anonymous: number
  limit: number
  /** Processes that the kernel killed because of the limit. */
  oomKills: number
}

const version2 = '/sys/fs/cgroup/cgroup.controllers'

/** Makes the cgroup below which the kubelet puts pods. The machine's keeper removes it. */
export function makeCgroup(): void {
  const root = '/sys/fs/cgroup'
  if (readable(version2)) {
    mkdirSync(join(root, names.cgroup), { recursive: true })
    return
  }
  for (const controller of readdirSync(root)) {
    if (controller === 'unified' || !readable(join(root, controller, 'cgroup.procs'))) continue
    const folder = join(root, controller, names.cgroup)
    mkdirSync(folder, { recursive: true })
    // Without these nothing can be put into it.
    const inherited = controller === 'cpuset' ? ['cpuset.cpus', 'cpuset.mems'] : []
    for (const file of inherited) writeFileSync(join(folder, file), readFileSync(join(root, controller, file)))
  }
}

/** The cgroup of a container, in version 1 (its memory controller) or 2. */
export class Cgroup {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @param containerId as the API server has it: `containerd://…` @throws when no such container runs on the node */
  static of(containerId: string): Cgroup {
    const id = basename(containerId)
    for (const root of ['/sys/fs/cgroup/memory', '/sys/fs/cgroup']) {
      const found = folders(join(root, names.cgroup)).find(path => basename(path) === id)
      if (found !== undefined) return new Cgroup(found)
    }
    throw new Error(`no cgroup of container ${id}`)
  }

  /** Ids of its processes, as this machine has them; the container's first. */
  get processes(): number[] {
    return this.#read('cgroup.procs').split('\n').filter(Boolean).map(Number)
  }

  /** undefined when the container has ended. */
  get memory(): MemoryUse | undefined {
    try {
      return readable(version2) ? this.#version2() : this.#version1()
    } catch {
      return undefined
    }
  }

  #version1(): MemoryUse {
    return {
      peak: Number(this.#read('memory.max_usage_in_bytes')),
      anonymous: field(this.#read('memory.stat'), 'total_rss'),
      limit: Number(this.#read('memory.limit_in_bytes')),
      oomKills: field(this.#read('memory.oom_control'), 'oom_kill')
    }
  }

  #version2(): MemoryUse {
    return {
      peak: Number(this.#read('memory.peak')),
      anonymous: field(this.#read('memory.stat'), 'anon'),
      limit: Number(this.#read('memory.max')),
      oomKills: field(this.#read('memory.events'), 'oom_kill')
    }
  }

  #read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8')
  }
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
}

function readable(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}

function folders(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}
