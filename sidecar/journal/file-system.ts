import fs from 'node:fs'

/** Called with an error, or with null and the number of bytes. */
export type BytesCallback = (error: NodeJS.ErrnoException | null, bytes: number) => void
/** Called with an error, or with null. */
export type DoneCallback = (error: NodeJS.ErrnoException | null) => void

/**
 * The calls that the journal makes to the operating system, with node:fs's meaning: a write or read may be short, errors
 * have a `code`. An interface so that tests can run it on a disk that fails, fills up, or loses what was not synced.
 */
export interface FileSystem {
  /** With its parents; nothing happens when it is there. */
  mkdirSync(path: string): void
  /** Names in a directory, in no order. */
  readdirSync(path: string): string[]
  /** `wx+`: a new file, for writing and reading; EEXIST when it is there. `r`: an existing one. */
  openSync(path: string, flags: 'wx+' | 'r+' | 'r'): number
  closeSync(fd: number): void
  /** Size of an open file in bytes. */
  sizeSync(fd: number): number
  writeSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number
  write(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void
  readSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number
  read(fd: number, bytes: Buffer, offset: number, length: number, position: number, done: BytesCallback): void
  ftruncateSync(fd: number, length: number): void
  fdatasync(fd: number, done: DoneCallback): void
  fdatasyncSync(fd: number): void
  /** Makes the names in a directory durable: files created, renamed and removed there. */
  syncDirectorySync(path: string): void
  /** Replaces what is called `to`. */
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
  unlink(path: string, done: DoneCallback): void
}

/** @throws {NodeJS.ErrnoException} unless the file is gone then */
export function unlinkIfThere(fs: Pick<FileSystem, 'unlinkSync'>, path: string): void {
  try {
    fs.unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** The real one. Calls go through the module object, so that a fault can be injected into a running process from outside. */
export const nodeFileSystem: FileSystem = {
  mkdirSync: path => void fs.mkdirSync(path, { recursive: true }),
  readdirSync: path => fs.readdirSync(path),
  openSync: (path, flags) => fs.openSync(path, flags, 0o600),
  closeSync: fd => fs.closeSync(fd),
  sizeSync: fd => fs.fstatSync(fd).size,
  writeSync: (fd, bytes, offset, length, position) => fs.writeSync(fd, bytes, offset, length, position),
  write: (fd, bytes, offset, length, position, done) =>
    fs.write(fd, bytes, offset, length, position, (error, written) => done(error, written)),
  readSync: (fd, bytes, offset, length, position) => fs.readSync(fd, bytes, offset, length, position),
  read: (fd, bytes, offset, length, position, done) =>
    fs.read(fd, bytes, offset, length, position, (error, read) => done(error, read)),
  ftruncateSync: (fd, length) => fs.ftruncateSync(fd, length),
  fdatasync: (fd, done) => fs.fdatasync(fd, done),
  fdatasyncSync: fd => fs.fdatasyncSync(fd),
  syncDirectorySync: path => {
    const fd = fs.openSync(path, 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  },
  renameSync: (from, to) => fs.renameSync(from, to),
  unlinkSync: path => fs.unlinkSync(path),
  unlink: (path, done) => fs.unlink(path, done)
}
