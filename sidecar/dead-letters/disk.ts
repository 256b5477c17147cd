import fs from 'node:fs'

type Done<T> = (error: NodeJS.ErrnoException | null, result: T) => void

function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))))
}

/**
 * The system's calls as promises. They go through the module object, not through fs.promises, so that a fault can be
 * injected into a running process from outside.
 */
export const disk = {
  /** With its parents. @returns the first directory that was made; undefined: all were there */
  mkdir: (path: string) => call<string | undefined>(done => fs.mkdir(path, { recursive: true, mode: 0o700 }, done)),
  readdir: (path: string) => call<string[]>(done => fs.readdir(path, done)),
  open: (path: string, flags: 'r' | 'r+' | 'wx') => call<number>(done => fs.open(path, flags, 0o600, done)),
  close: (fd: number) => call<void>(done => fs.close(fd, done)),
  stat: (path: string) => call<fs.Stats>(done => fs.stat(path, done)),
  fstat: (fd: number) => call<fs.Stats>(done => fs.fstat(fd, done)),
  /** The whole file, from its beginning. */
  read: async (fd: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafe((await disk.fstat(fd)).size)
    let length = 0
    while (length < bytes.length) {
      const at = length
      const read = await call<number>(done => fs.read(fd, bytes, at, bytes.length - at, at, done))
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  },
  /** All of it, however many calls that takes. */
  write: async (fd: number, bytes: Buffer, position: number): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      const from = at
      at += await call<number>(done => fs.write(fd, bytes, from, bytes.length - from, position + from, done))
    }
  },
  truncate: (fd: number, length: number) => call<void>(done => fs.ftruncate(fd, length, done)),
  sync: (fd: number) => call<void>(done => fs.fdatasync(fd, done)),
  rename: (from: string, to: string) => call<void>(done => fs.rename(from, to, done)),
  unlink: (path: string) => call<void>(done => fs.unlink(path, done)),
  /** Makes the names in a directory durable: files created, renamed and removed there. */
  syncDirectory: async (path: string): Promise<void> => {
    const fd = await disk.open(path, 'r')
    try {
      await call<void>(done => fs.fsync(fd, done))
    } finally {
      await disk.close(fd)
    }
  }
} as const

/** Turns ENOENT into undefined. */
export function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}
