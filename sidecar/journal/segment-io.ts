import type { FileSystem } from './file-system.ts'
import type { Segment } from './segment.ts'

/**
 * Reads bytes of a segment, at most as many as were written.
 * @param memory to read into, if it is large enough
 * @param idle called when the descriptor is not used any more
 * @param done with what was read, before the error as well: one bad page must not hide what is in front of it
 */
export function readSegment(
  fs: FileSystem,
  segment: Segment,
  offset: number,
  length: number,
  memory: Buffer | undefined,
  idle: () => void,
  done: (error: NodeJS.ErrnoException | null, bytes: Buffer) => void
): void {
  const bytesThere = Math.max(0, Math.min(length, segment.bytes - offset))
  const buffer =
    memory !== undefined && bytesThere <= memory.length
      ? memory.subarray(0, bytesThere)
      : Buffer.allocUnsafeSlow(bytesThere)
  let fd: number
  try {
    fd = segment.fd ??= fs.openSync(segment.path, 'r')
  } catch (error) {
    return done(error as NodeJS.ErrnoException, buffer.subarray(0, 0))
  }
  segment.users++
  readOn(0)

  function readOn(at: number): void {
    fs.read(fd, buffer, at, buffer.length - at, offset + at, (error, bytes) => {
      if (error === null && bytes > 0 && at + bytes < buffer.length) return readOn(at + bytes)
      segment.users--
      idle()
      done(error, buffer.subarray(0, error === null ? at + bytes : at))
    })
  }
}

/**
 * Has everything that was written to a segment put on the device.
 * @param idle called when the descriptor is not used any more
 */
export function syncSegment(
  fs: FileSystem,
  segment: Segment,
  idle: () => void,
  done: (error: NodeJS.ErrnoException | null) => void
): void {
  const { bytes } = segment
  if (segment.removed || segment.syncedBytes >= bytes) return done(null)
  // The kernel reports a failure once, and forgets what it could not write (PostgreSQL's "fsyncgate").
  if (segment.syncFailure !== undefined) return done(segment.syncFailure)
  let fd: number
  try {
    fd = segment.fd ??= fs.openSync(segment.path, 'r+')
  } catch (error) {
    return done(error as NodeJS.ErrnoException)
  }
  segment.users++
  fs.fdatasync(fd, error => {
    segment.users--
    idle()
    if (error) segment.syncFailure = error
    else if (segment.syncFailure === undefined) segment.syncedBytes = Math.max(segment.syncedBytes, bytes)
    done(error ?? segment.syncFailure ?? null)
  })
}
