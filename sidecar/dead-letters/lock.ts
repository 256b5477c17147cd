import type * as FsExt from 'fs-ext'
import { createRequire } from 'node:module'

const TAKEN: ReadonlySet<string> = new Set(['EAGAIN', 'EWOULDBLOCK'])

/**
 * Locks an open file against everybody else who asks, by flock(2), until it is closed. It does not wait. Where the file
 * system has no such locks (some NFS and FUSE mounts), everybody gets one.
 * @returns false when somebody else has it
 */
export function tryLock(fd: number): boolean {
  try {
    const { flockSync } = createRequire(import.meta.url)('fs-ext') as typeof FsExt
    flockSync(fd, 'exnb')
    return true
  } catch (error) {
    return !TAKEN.has((error as NodeJS.ErrnoException).code ?? '')
  }
}
