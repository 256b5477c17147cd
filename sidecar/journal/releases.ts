import type { FileSystem } from './file-system.ts'
import { decodeReleases, encodeReleases, RELEASE_ENTRY_BYTES } from './format.ts'
import { readSync } from './read-whole.ts'
import { ReleasedRanges } from './scan.ts'
import type { Segment } from './segment.ts'

/**
 * Adds what was released since the last time to a segment's companion file. It is a note and no promise: without it, or
 * with an older one, events are delivered a second time, so its errors are nobody's concern.
 * @returns whether it is noted; if not, it is worth another try
 */
export function saveReleases(fs: FileSystem, segment: Segment): boolean {
  const bytes = encodeReleases(segment.salt, segment.unsaved())
  try {
    const fd = openCompanion(fs, segment)
    segment.hasCompanion = true
    try {
      // An entry of which only a part was written would hide all that come after it: the next try begins where this did.
      for (let at = 0; at < bytes.length;) {
        at += fs.writeSync(fd, bytes, at, bytes.length - at, segment.releasedBytes + at)
      }
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return false
  }
  segment.releasedBytes += bytes.length
  segment.saved()
  return true
}

/** The file may be there without an entry that counts: the first was torn, or is of another segment that had the name. */
function openCompanion(fs: FileSystem, segment: Segment): number {
  try {
    return fs.openSync(segment.releasedPath, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    segment.releasedBytes = 0
    return fs.openSync(segment.releasedPath, 'wx+')
  }
}

/** What a segment's companion file says; nothing when there is none. Sets {@link Segment.releasedBytes}. */
export function loadReleases(fs: FileSystem, segment: Segment): ReleasedRanges {
  try {
    const fd = fs.openSync(segment.releasedPath, 'r')
    segment.hasCompanion = true
    try {
      const bytes = Buffer.alloc(fs.sizeSync(fd))
      const ranges = decodeReleases(segment.salt, readSync(fs, fd, bytes))
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
