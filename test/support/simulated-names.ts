import { basename, dirname } from 'node:path/posix'
import type { Choose, SimulatedFile } from './simulated-file.ts'

type Change =
  | { readonly kind: 'create'; readonly path: string; readonly file: SimulatedFile }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }

type Names = Map<string, SimulatedFile>

/** The names of files, and what of them is on the device. Directories are there as soon as they are made. */
export class SimulatedNames {
  readonly #directories = new Set<string>(['/'])
  #cached: Names = new Map()
  readonly #durable: Names = new Map()
  /** Changes that the device may not have, in order: a file system's own journal keeps it. */
  #changes: Change[] = []

  /** Every file with its path. */
  get files(): ReadonlyMap<string, SimulatedFile> {
    return this.#cached
  }

  isDirectory(path: string): boolean {
    return this.#directories.has(path)
  }

  /** With its parents. */
  makeDirectory(path: string): void {
    for (let at = path; !this.#directories.has(at); at = dirname(at)) this.#directories.add(at)
  }

  /** Names in a directory. */
  list(directory: string): string[] {
    const paths = [...this.#cached.keys(), ...this.#directories]
    return paths.filter(path => path !== '/' && dirname(path) === directory).map(path => basename(path))
  }

  create(path: string, file: SimulatedFile): void {
    this.#change({ kind: 'create', path, file })
  }

  rename(path: string, to: string): void {
    this.#change({ kind: 'rename', path, to })
  }

  unlink(path: string): void {
    this.#change({ kind: 'unlink', path })
  }

  /** Makes all durable up to the last change in this directory. */
  sync(directory: string): void {
    const last = this.#changes.findLastIndex(change => isIn(change, directory))
    for (const change of this.#changes.splice(0, last + 1)) apply(this.#durable, change)
  }

  /** The machine goes down: some of the first changes that were not synced had come to the device. */
  losePower(choose: Choose): void {
    const kept = choose(this.#changes.length + 1)
    for (const change of this.#changes.splice(0).slice(0, kept)) apply(this.#durable, change)
    this.#cached = new Map(this.#durable)
  }

  #change(change: Change): void {
    apply(this.#cached, change)
    this.#changes.push(change)
  }
}

function isIn(change: Change, directory: string): boolean {
  return dirname(change.path) === directory || (change.kind === 'rename' && dirname(change.to) === directory)
}

function apply(names: Names, change: Change): void {
  if (change.kind === 'create') {
    names.set(change.path, change.file)
    return
  }
  const file = names.get(change.path)
  names.delete(change.path)
  if (change.kind === 'rename' && file !== undefined) names.set(change.to, file)
}
