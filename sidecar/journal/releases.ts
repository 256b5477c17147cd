import type { FileSystem } from './file-system.ts'
import { decodeReleases, encodeReleases, RELEASE_ENTRY_BYTES } from './format.ts'
import type { ByteRange } from './ranges.ts'
import { ReleasedRanges } from './scan.ts'
import type { Segment } from './segment.ts'

/**
 * Adds what was released since the last time to a segment's companion file. It is a note and no promise: without it, or
 * with an older one, events are delivered a second time, so its errors are nobody's concern.
 * @returns by how many bytes the file grew
 */
export function saveReleases(fs: FileSystem, segment: Segment): number {
  const ranges: ByteRange[] = segment.takeUnsaved()
  if (ranges.length === 0) return 0
  const bytes = encodeReleases(segment.salt, ranges)
  try {
    const fd = fs.openSync(segment.releasedPath, segment.releasedBytes === 0 ? 'wx+' : 'r+')
    try {
      fs.writeSync(fd, bytes, 0, bytes.length, segment.releasedBytes)
      segment.releasedBytes += bytes.length
      return bytes.length
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return 0
  }
}

/** What a segment's companion file says; nothing when there is none. Sets {@link Segment.releasedBytes}. */
export function loadReleases(fs: FileSystem, segment: Segment): ReleasedRanges {
  try {
    const fd = fs.openSync(segment.releasedPath, 'r')
    try {
      const bytes = Buffer.alloc(fs.sizeSync(fd))
      const read = fs.readSync(fd, bytes, 0, bytes.length, 0)
      const ranges = decodeReleases(segment.salt, bytes.subarray(0, read))
      // A torn entry at the end is overwritten by the next, or nothing behind it would ever be read.
      segment.releasedBytes = ranges.length * RELEASE_ENTRY_BYTES
      segment.wasReleased(ranges)
      return new ReleasedRanges(ranges)
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return new ReleasedRanges([])
  }
}
