import { dirname } from 'node:path/posix'
import type { BytesCallback, DoneCallback, FileSystem } from '../../sidecar/journal/file-system.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { errorOf, type Call } from './simulated-error.ts'
import { SimulatedFile } from './simulated-file.ts'

interface OpenFile {
  readonly file: SimulatedFile
  readonly path: string
  readonly isWritable: boolean
  /** Asynchronous calls that use it. */
  users: number
}

/** A {@link SimulatedDisk} as one process has it: its descriptors, and its calls. */
export class SimulatedMount implements FileSystem {
  readonly #disk: SimulatedDisk
  readonly #open = new Map<number, OpenFile>()
  #lastFd = 2
  #ended = false

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  /** The process is gone. */
  end(): void {
    this.#ended = true
    this.#open.clear()
  }

  get files(): SimulatedFile[] {
    return [...this.#open.values()].map(({ file }) => file)
  }

  get openPaths(): string[] {
    return [...this.#open.values()].map(({ path }) => path)
  }

  mkdirSync(path: string): void {
    this.#count('mkdir', path)
    this.#disk.names.makeDirectory(path)
  }

  readdirSync(path: string): string[] {
    this.#count('readdir', path)
    if (!this.#disk.names.isDirectory(path)) throw errorOf('ENOENT', 'readdir', path)
    return this.#disk.names.list(path)
  }

  openSync(path: string, flags: 'wx+' | 'r+' | 'r'): number {
    this.#count('open', path)
    const { names } = this.#disk
    let file = names.files.get(path)
    if (flags === 'wx+') {
      if (file !== undefined) throw errorOf('EEXIST', 'open', path)
      this.#assertDirectory('open', dirname(path))
      file = new SimulatedFile()
      names.create(path, file)
    }
    if (file === undefined) throw errorOf('ENOENT', 'open', path)
    this.#open.set(++this.#lastFd, { file, path, isWritable: flags !== 'r', users: 0 })
    return this.#lastFd
  }

  closeSync(fd: number): void {
    const { path, users } = this.#used('close', fd)
    if (users > 0) this.#disk.violations.push(`${path} was closed under a call`)
    // Linux frees the descriptor also when close fails.
    this.#open.delete(fd)
    this.#count('close', path)
  }

  sizeSync(fd: number): number {
    const { file, path } = this.#used('size', fd)
    this.#count('size', path)
    return file.size
  }

  writeSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number {
    const { file, path, isWritable } = this.#used('write', fd)
    if (!isWritable) throw errorOf('EBADF', 'write', path)
    const fitting = this.#disk.fitting(file, position, length)
    try {
      this.#count('write', path)
    } catch (error) {
      file.write(position, bytes.subarray(offset, offset + this.#disk.choose(fitting + 1)))
      throw error
    }
    if (fitting === 0 && length > 0) throw errorOf('ENOSPC', 'write', path)
    const written = this.#disk.shortened('write', fitting)
    file.write(position, bytes.subarray(offset, offset + written))
    return written
  }

  write(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void {
    const write = (part: number): number => this.writeSync(fd, bytes, offset, part, position)
    this.#begin(
      fd,
      () => write(length),
      done,
      0,
      () => write(this.#disk.choose(length + 1))
    )
  }

  readSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number {
    const { file, path } = this.#used('read', fd)
    this.#count('read', path)
    const there = file.bytes.subarray(position, position + length)
    return there.copy(bytes, offset, 0, this.#disk.shortened('read', there.length))
  }

  read(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void {
    this.#begin(fd, () => this.readSync(fd, bytes, offset, length, position), done, 0)
  }

  ftruncateSync(fd: number, length: number): void {
    const { file, path, isWritable } = this.#used('truncate', fd)
    if (!isWritable) throw errorOf('EINVAL', 'truncate', path)
    this.#count('truncate', path)
    file.truncate(length)
  }

  fdatasyncSync(fd: number): void {
    this.#sync(fd, this.#used('sync', fd).file.lastChange)
  }

  fdatasync(fd: number, done: DoneCallback): void {
    const upTo = this.#open.get(fd)?.file.lastChange ?? 0
    this.#begin(fd, () => this.#sync(fd, upTo), done, undefined)
  }

  syncDirectorySync(path: string): void {
    this.#assertDirectory('syncDirectory', path)
    this.#count('syncDirectory', path)
    this.#disk.names.sync(path)
  }

  renameSync(from: string, to: string): void {
    this.#count('rename', from)
    this.#assertFile('rename', from)
    this.#assertDirectory('rename', dirname(to))
    this.#disk.names.rename(from, to)
  }

  unlinkSync(path: string): void {
    this.#count('unlink', path)
    this.#assertFile('unlink', path)
    this.#disk.names.unlink(path)
  }

  unlink(path: string, done: DoneCallback): void {
    this.#begin(undefined, () => this.unlinkSync(path), done, undefined)
  }

  #sync(fd: number, upTo: number): void {
    const { file, path } = this.#used('sync', fd)
    try {
      this.#count('sync', path)
    } catch (error) {
      file.failSync()
      throw error
    }
    file.sync(upTo)
  }

  #count(call: Call, path: string): void {
    if (this.#ended) throw errorOf('ESHUTDOWN', call, path)
    this.#disk.count(call, path)
  }

  #used(call: Call, fd: number): OpenFile {
    if (this.#ended) throw errorOf('ESHUTDOWN', call, String(fd))
    const open = this.#open.get(fd)
    if (open !== undefined) return open
    this.#disk.violations.push(`${call} of descriptor ${fd}, which is not open`)
    throw errorOf('EBADF', call, String(fd))
  }

  #assertFile(call: Call, path: string): void {
    if (!this.#disk.names.files.has(path)) throw errorOf('ENOENT', call, path)
  }

  #assertDirectory(call: Call, path: string): void {
    if (!this.#disk.names.isDirectory(path)) throw errorOf('ENOENT', call, path)
  }

  /**
   * Begins an asynchronous call.
   * @param nothing what `done` is called with beside an error
   * @param interrupted what becomes of the call when the process ends under it, where it becomes anything
   */
  #begin<T>(
    fd: number | undefined,
    act: () => T,
    done: (error: NodeJS.ErrnoException | null, result: T) => void,
    nothing: T,
    interrupted: () => unknown = act
  ): void {
    if (this.#ended) return
    const open = fd === undefined ? undefined : this.#open.get(fd)
    const leave = (): void => {
      if (open !== undefined) open.users--
    }
    if (open !== undefined) open.users++
    this.#disk.begin({
      complete: () => {
        leave()
        let result: T
        try {
          result = act()
        } catch (error) {
          return done(error as NodeJS.ErrnoException, nothing)
        }
        done(null, result)
      },
      interrupt: () => {
        if (this.#disk.choose(2) === 0) return
        try {
          interrupted()
        } catch {
          // Nobody is there to hear it.
        }
      }
    })
  }
}
