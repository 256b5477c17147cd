import type * as FsExt from 'fs-ext'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { JournalInUseError } from './errors.ts'

/** Gives a directory up again. */
export type Unlock = () => void

/** File systems that have no flock (some NFS and FUSE mounts) are used without one. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK', 'EINVAL'])

/**
 * Makes this process the only owner of a directory, by flock(2) on a file in it: the kernel takes the lock back with
 * whatever ends the process. Node has no call for it; fs-ext does nothing else.
 * @throws {JournalInUseError} when another process has it
 */
export function lockDirectory(directory: string): Unlock {
  const path = join(directory, 'lock')
  const fd = fs.openSync(path, 'a+', 0o600)
  try {
    const { flockSync } = createRequire(import.meta.url)('fs-ext') as typeof FsExt
    flockSync(fd, 'exnb')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (UNSUPPORTED.has(code)) return () => fs.closeSync(fd)
    const owner = fs.readFileSync(path, 'utf8').trim()
    fs.closeSync(fd)
    if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error
    throw new JournalInUseError(
      `the journal in ${directory} belongs to another process (${owner || 'unknown'}): give each its own INFERENCE_LOGGER_JOURNAL_DIR`
    )
  }
  try {
    fs.ftruncateSync(fd)
    fs.writeSync(fd, `pid ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`)
  } catch {
    // A full disk, say. The lock is what counts: thrown, it would stay with this process, which could never take it again.
  }
  return () => fs.closeSync(fd)
}
