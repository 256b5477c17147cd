import type { FileSystem } from './file-system.ts'

/**
 * Fills a buffer from the start of a file, as far as there is something: a read may be short.
 * @returns the part that was read
 * @throws {NodeJS.ErrnoException}
 */
export function readSync(fs: FileSystem, fd: number, bytes: Buffer): Buffer {
  let at = 0
  while (at < bytes.length) {
    const read = fs.readSync(fd, bytes, at, bytes.length - at, at)
    if (read === 0) break
    at += read
  }
  return bytes.subarray(0, at)
}

/**
 * Reads a file whole, through the thread pool.
 * @param bufferOf gives the memory for so many bytes
 * @throws {NodeJS.ErrnoException}
 */
export async function readWhole(
  fs: FileSystem,
  path: string,
  bufferOf: (bytes: number) => Buffer = bytes => Buffer.allocUnsafeSlow(bytes)
): Promise<Buffer> {
  const fd = fs.openSync(path, 'r')
  try {
    const bytes = bufferOf(fs.sizeSync(fd))
    let at = 0
    while (at < bytes.length) {
      const read = await readSome(fs, fd, bytes, at)
      if (read === 0) break
      at += read
    }
    return bytes.subarray(0, at)
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * The same at once.
 * @throws {NodeJS.ErrnoException}
 */
export function readWholeSync(fs: FileSystem, path: string): Buffer {
  const fd = fs.openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafeSlow(fs.sizeSync(fd))
    let at = 0
    while (at < bytes.length) {
      const read = fs.readSync(fd, bytes, at, bytes.length - at, at)
      if (read === 0) break
      at += read
    }
    return bytes.subarray(0, at)
  } finally {
    fs.closeSync(fd)
  }
}

function readSome(fs: FileSystem, fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, bytes, at, bytes.length - at, at, (error, read) => (error ? reject(error) : resolve(read)))
  })
}
