import {
  nodeFileSystem,
  type BytesCallback,
  type DoneCallback,
  type FileSystem
} from '../../sidecar/journal/file-system.ts'
import type { Call } from '../support/simulated-error.ts'

interface Fault {
  readonly call: Call
  readonly code: string
  readonly path: RegExp
  readonly written: number
  times: number
}

/** The real file system, with calls that fail, are short, or take as long as the test says. */
export class FaultyFileSystem implements FileSystem {
  /** Every call, with the name of its file: `write 00000000000000000001.journal`. */
  readonly log: string[] = []
  /** Descriptors that are open, with their paths. */
  readonly open = new Map<number, string>()
  /** Called before each call does its work. */
  before: (call: Call) => void = () => {}
  #faults: Fault[] = []
  #atMost = { write: Infinity, read: Infinity }
  #held = new Set<Call>()
  #waiting: (() => void)[] = []

  /**
   * Makes calls fail.
   * @param options which files, how many calls, and how many bytes a write gets to the file before it fails
   */
  fail(call: Call, code: string, { path = /./, times = Infinity, written = 0 } = {}): void {
    this.#faults.push({ call, code, path, times, written })
  }

  /** Ends all faults. */
  heal(): void {
    this.#faults = []
    this.#atMost = { write: Infinity, read: Infinity }
  }

  /** Calls take no more bytes at a time. */
  shorten(call: 'write' | 'read', bytes: number): void {
    this.#atMost[call] = bytes
  }

  /** Asynchronous calls of a kind wait for {@link letGo}. */
  hold(call: Call): void {
    this.#held.add(call)
  }

  /** Asynchronous calls that wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  letGo(): void {
    this.letGoFrom(0)
  }

  /** The same, but for those that began to wait first. */
  letGoFrom(first: number): void {
    this.#held.clear()
    for (const go of this.#waiting.splice(first)) go()
  }

  count(call: Call, path = /./): number {
    return this.log.filter(line => line.startsWith(`${call} `) && path.test(line)).length
  }

  mkdirSync(path: string): void {
    this.#check('mkdir', path)
    nodeFileSystem.mkdirSync(path)
  }

  readdirSync(path: string): string[] {
    this.#check('readdir', path)
    return nodeFileSystem.readdirSync(path)
  }

  openSync(path: string, flags: 'wx+' | 'r+' | 'r'): number {
    this.#check('open', path)
    const fd = nodeFileSystem.openSync(path, flags)
    this.open.set(fd, path)
    return fd
  }

  closeSync(fd: number): void {
    const path = this.#pathOf(fd)
    this.open.delete(fd)
    nodeFileSystem.closeSync(fd)
    this.#check('close', path)
  }

  sizeSync(fd: number): number {
    this.#check('size', this.#pathOf(fd))
    return nodeFileSystem.sizeSync(fd)
  }

  writeSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number {
    const fault = this.#meet('write', this.#pathOf(fd))
    const most = Math.min(length, fault?.written ?? this.#atMost.write)
    const written = nodeFileSystem.writeSync(fd, bytes, offset, most, position)
    if (fault !== undefined) throw errorOf(fault)
    return written
  }

  write(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void {
    this.#later('write', () => {
      const fault = this.#meet('write', this.#pathOf(fd))
      const most = Math.min(length, fault?.written ?? this.#atMost.write)
      nodeFileSystem.write(fd, bytes, offset, most, position, (error, written) =>
        done(fault === undefined ? error : errorOf(fault), written)
      )
    })
  }

  readSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number {
    this.#check('read', this.#pathOf(fd))
    return nodeFileSystem.readSync(fd, bytes, offset, Math.min(length, this.#atMost.read), position)
  }

  read(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void {
    this.#later('read', () => {
      const fault = this.#meet('read', this.#pathOf(fd))
      if (fault !== undefined) setImmediate(() => done(errorOf(fault), 0))
      else nodeFileSystem.read(fd, bytes, offset, Math.min(length, this.#atMost.read), position, done)
    })
  }

  ftruncateSync(fd: number, length: number): void {
    this.#check('truncate', this.#pathOf(fd))
    nodeFileSystem.ftruncateSync(fd, length)
  }

  fdatasync(fd: number, done: DoneCallback): void {
    this.#later('sync', () => {
      const fault = this.#meet('sync', this.#pathOf(fd))
      if (fault !== undefined) setImmediate(() => done(errorOf(fault)))
      else nodeFileSystem.fdatasync(fd, done)
    })
  }

  fdatasyncSync(fd: number): void {
    this.#check('sync', this.#pathOf(fd))
  }

  syncDirectorySync(path: string): void {
    this.#check('syncDirectory', path)
  }

  renameSync(from: string, to: string): void {
    this.#check('rename', from)
    nodeFileSystem.renameSync(from, to)
  }

  unlinkSync(path: string): void {
    this.#check('unlink', path)
    nodeFileSystem.unlinkSync(path)
  }

  unlink(path: string, done: DoneCallback): void {
    this.#later('unlink', () => {
      const fault = this.#meet('unlink', path)
      if (fault !== undefined) setImmediate(() => done(errorOf(fault)))
      else nodeFileSystem.unlink(path, done)
    })
  }

  #later(call: Call, go: () => void): void {
    if (this.#held.has(call)) this.#waiting.push(go)
    else go()
  }

  #pathOf(fd: number): string {
    const path = this.open.get(fd)
    if (path === undefined) throw new Error(`descriptor ${fd} is not open: it was closed under a call, or twice`)
    return path
  }

  /** @throws {NodeJS.ErrnoException} when the call is to fail */
  #check(call: Call, path: string): void {
    const fault = this.#meet(call, path)
    if (fault !== undefined) throw errorOf(fault)
  }

  #meet(call: Call, path: string): Fault | undefined {
    this.log.push(`${call} ${path.slice(path.lastIndexOf('/') + 1)}`)
    this.before(call)
    const fault = this.#faults.find(one => one.call === call && one.times > 0 && one.path.test(path))
    if (fault !== undefined) fault.times--
    return fault
  }
}

function errorOf({ call, code }: Fault): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call}`), { code })
}
