import type { FileSystem } from '../../sidecar/journal/file-system.ts'
import { errorOf, type Call } from './simulated-error.ts'
import type { Choose, SimulatedFile } from './simulated-file.ts'
import { SimulatedMount } from './simulated-mount.ts'
import { SimulatedNames } from './simulated-names.ts'

export { seededChoice } from './simulated-file.ts'
export type { Choose }

/** How a disk behaves. */
export interface DiskOptions {
  /** Decides all that is left to chance. */
  readonly choose: Choose
  /** Bytes that all files together may take; no bound by default. */
  readonly capacity?: number
  /**
   * Who completes asynchronous calls. `manual`, the default: {@link SimulatedDisk.completeOne} and
   * {@link SimulatedDisk.settle}. `immediate`: the disk, by setImmediate.
   */
  readonly completion?: 'manual' | 'immediate'
}

/** What a crash leaves. `cache`: the process ended, the machine did not. `synced`: the machine went down. */
export interface Crash {
  readonly keep: 'cache' | 'synced'
}

/** An asynchronous call that has begun. */
export interface WaitingCall {
  /** Does it and calls back. */
  readonly complete: () => void
  /** The process ends while the call is under way. It may take effect all the same; nobody is called. */
  readonly interrupt: () => void
}

interface Fault {
  readonly calls: ReadonlySet<Call>
  readonly code: string
  after: number
  times: number
}

/**
 * A disk in memory that fails, fills up, and loses what was not synced, as its chooser says.
 *
 * Rules, the pessimistic side of what Linux does: asynchronous calls complete in any order, and read or fill their buffer
 * when they complete. A sync is about what was written when it began, and one that failed gives that up for good. Of a
 * write that was not synced any part may survive the machine. Names are recovered in the order in which they were
 * changed, up to any change that was not synced. Directories are durable at once.
 */
export class SimulatedDisk {
  /** May be changed: a disk that fills up by itself, or gets room again. */
  capacity: number
  /** What no program may do: use a descriptor after it was closed, or close it under a call. */
  readonly violations: string[] = []
  readonly choose: Choose
  readonly names = new SimulatedNames()
  readonly #completion: 'manual' | 'immediate'
  readonly #calls = new Map<Call, number>()
  #mount: SimulatedMount | undefined
  #waiting: WaitingCall[] = []
  #faults: Fault[] = []
  readonly #short = { write: 0, read: 0 }

  constructor({ choose, capacity = Infinity, completion = 'manual' }: DiskOptions) {
    this.choose = choose
    this.capacity = capacity
    this.#completion = completion
  }

  /** The disk as a process has it until the next crash. There is one process at a time. */
  mount(): FileSystem {
    return (this.#mount ??= new SimulatedMount(this))
  }

  /**
   * Makes calls fail.
   * @param code of the error: `ENOSPC`, `EIO`, `EROFS`, `EACCES`. A write that fails may have written a part
   * @param options how many calls fail, after how many that do not
   */
  fail(call: Call | readonly Call[], code: string, { times = 1, after = 0 } = {}): void {
    this.#faults.push({ calls: new Set([call].flat()), code, after, times })
  }

  /** Makes the next calls take only a part, of at least a byte, of what they could. */
  shorten(call: 'write' | 'read', times = 1): void {
    this.#short[call] += times
  }

  /** Ends all faults. */
  heal(): void {
    this.#faults = []
    this.#short.write = this.#short.read = 0
  }

  /** Calls of a kind so far, those that failed included. */
  callsOf(call: Call): number {
    return this.#calls.get(call) ?? 0
  }

  /** Bytes of all files that have a name or are open. */
  get used(): number {
    let bytes = 0
    for (const { size } of new Set([...this.names.files.values(), ...(this.#mount?.files ?? [])])) bytes += size
    return bytes
  }

  /** Paths of the files that are open, once for each descriptor. */
  get openFiles(): string[] {
    return this.#mount?.openPaths ?? []
  }

  /** Paths of all files, sorted. */
  get files(): string[] {
    return [...this.names.files.keys()].sort()
  }

  /** What a process reads there. */
  contentOf(path: string): Buffer {
    return Buffer.from(this.#fileAt(path).bytes)
  }

  /** Changes stored bytes of a file, not its length: a disk that rots. */
  damage(path: string, offset: number, bytes: Buffer): void {
    this.#fileAt(path).damage(offset, bytes)
  }

  /** How many asynchronous calls have not completed. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Completes one asynchronous call, whichever. @returns whether there was one */
  completeOne(): boolean {
    const [call] = this.#waiting.splice(this.#waiting.length === 0 ? 0 : this.choose(this.#waiting.length), 1)
    call?.complete()
    return call !== undefined
  }

  /** Completes asynchronous calls until there are none, those included that begin meanwhile. */
  settle(): void {
    while (this.completeOne());
  }

  /**
   * Ends the process, or the machine: descriptors are gone, callbacks never come. What was {@link mount}ed fails each
   * call from now on with ESHUTDOWN, and changes nothing: what is left of the process in a test may go on calling it.
   */
  crash({ keep }: Crash): void {
    for (const call of this.#waiting.splice(0)) call.interrupt()
    this.#mount?.end()
    this.#mount = undefined
    if (keep === 'cache') return
    this.names.losePower(this.choose)
    for (const file of new Set(this.names.files.values())) file.losePower(this.choose)
  }

  /** For a mount: an asynchronous call begins. */
  begin(call: WaitingCall): void {
    this.#waiting.push(call)
    if (this.#completion === 'immediate') setImmediate(() => this.completeOne())
  }

  /** For a mount: a call is made. @throws {NodeJS.ErrnoException} when it has to fail */
  count(call: Call, path: string): void {
    this.#calls.set(call, this.callsOf(call) + 1)
    for (const fault of this.#faults) {
      if (!fault.calls.has(call) || fault.times === 0) continue
      if (fault.after-- > 0) continue
      fault.times--
      throw errorOf(fault.code, call, path)
    }
  }

  /** For a mount: how many of so many bytes a call takes. */
  shortened(call: 'write' | 'read', length: number): number {
    if (length < 2 || this.#short[call] === 0) return length
    this.#short[call]--
    return 1 + this.choose(length - 1)
  }

  /** For a mount: how many of so many bytes find room in a file. */
  fitting(file: SimulatedFile, position: number, length: number): number {
    const room = Math.max(0, this.capacity - this.used)
    return Math.max(0, Math.min(length, file.size + room - position))
  }

  #fileAt(path: string): SimulatedFile {
    const file = this.names.files.get(path)
    if (file === undefined) throw errorOf('ENOENT', 'open', path)
    return file
  }
}
