import { join } from 'node:path'
import { JournalVersionError } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import { readSync } from './read-whole.ts'
import {
  decodeSegmentHeader,
  RELEASED_SUFFIX,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  sequenceOfName,
  type SegmentHeader
} from './format.ts'
import { readWholeSync } from './read-whole.ts'
import { scanSegment } from './scan.ts'

/** Part of the journal's bound that quarantined bytes may take. */
const QUARANTINE_SHARE = 1 / 8

/** A segment that an earlier run left, judged by its header. */
export interface FoundSegment {
  readonly name: string
  readonly firstSequence: number
  readonly bytes: number
  readonly header: SegmentHeader
}

/** What a directory held at the start. */
export interface FoundSegments {
  /** In the order of their sequences. */
  readonly segments: readonly FoundSegment[]
  /** Names of files whose header cannot be read. */
  readonly corrupt: readonly string[]
  /** Names of files that never held a record, or belong to nothing. */
  readonly useless: readonly string[]
  /** A sequence that no record in the directory can have. */
  readonly nextSequence: number
}

/** The journal's directory: names and whole files, no records. */
export class JournalDirectory {
  readonly path: string
  readonly #fs: FileSystem
  readonly #quarantineLimit: number
  #quarantined = 0

  /** @param maxBytes the journal's bound, which that of the quarantine follows from */
  constructor(fs: FileSystem, path: string, maxBytes: number) {
    this.#fs = fs
    this.path = path
    this.#quarantineLimit = maxBytes * QUARANTINE_SHARE
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /**
   * Looks at every segment's header. Changes nothing.
   * @throws {JournalVersionError} when one was written by a newer release
   */
  find(): FoundSegments {
    const names = this.#fs.readdirSync(this.path).sort()
    const segments: FoundSegment[] = []
    const corrupt: string[] = []
    const useless: string[] = []
    let nextSequence = 1
    for (const name of names.filter(one => one.endsWith(SEGMENT_SUFFIX))) {
      const firstSequence = sequenceOfName(name)
      if (firstSequence === undefined) continue
      const { bytes, header } = this.#readHeader(name)
      // A record takes more than a byte, so this is beyond the last, but for gaps.
      nextSequence = Math.max(nextSequence, firstSequence + bytes + 1)
      if (!('problem' in header)) segments.push({ name, firstSequence, bytes, header })
      else if (header.problem === 'newer') {
        throw new JournalVersionError(
          `${this.file(name)} has journal format version ${header.version ?? '?'}, which a newer release of inference-logger wrote: run that release, or move the directory away`
        )
      } else if (header.problem === 'torn' && bytes <= SEGMENT_HEADER_BYTES) useless.push(name)
      else corrupt.push(name)
    }
    segments.sort((a, b) => a.firstSequence - b.firstSequence)
    nextSequence = Math.max(nextSequence, this.#lastSequence(segments.at(-1)) + 1)
    const bases = new Set(segments.map(({ name }) => name.slice(0, -SEGMENT_SUFFIX.length)))
    for (const name of names) {
      if (name.endsWith(RELEASED_SUFFIX) && !bases.has(name.slice(0, -RELEASED_SUFFIX.length))) useless.push(name)
      if (name.endsWith(TEMPORARY_SUFFIX)) useless.push(name)
    }
    return { segments, corrupt, useless, nextSequence }
  }

  /** Moves a whole file into quarantine. @returns where it is now */
  quarantineFile(name: string): string {
    this.#fs.mkdirSync(this.file('quarantine'))
    const to = join(this.file('quarantine'), `${name}.corrupt`)
    this.#fs.renameSync(this.file(name), to)
    return to
  }

  /**
   * Writes a damaged piece of a segment into quarantine, as long as there is room for it.
   * @returns where it is; undefined when it could not be kept
   */
  quarantineBytes(name: string, offset: number, bytes: Buffer): string | undefined {
    if (this.#quarantined + bytes.length > this.#quarantineLimit) return undefined
    const path = join(this.file('quarantine'), `${name}.${offset}.corrupt`)
    try {
      this.#fs.mkdirSync(this.file('quarantine'))
      const fd = this.#fs.openSync(path, 'wx+')
      try {
        for (let at = 0; at < bytes.length;) at += this.#fs.writeSync(fd, bytes, at, bytes.length - at, at)
      } finally {
        this.#fs.closeSync(fd)
      }
    } catch (error) {
      // The same damage was quarantined by a run that ended before it had cut it off.
      return (error as NodeJS.ErrnoException).code === 'EEXIST' ? path : undefined
    }
    this.#quarantined += bytes.length
    return path
  }

  /** Sequences have gaps, and a compacted segment is small for those it has: a size alone does not tell. */
  #lastSequence(segment: FoundSegment | undefined): number {
    let last = 0
    if (segment === undefined) return last
    try {
      scanSegment(readWholeSync(this.#fs, this.file(segment.name)), ({ sequence }) => (last = Math.max(last, sequence)))
    } catch {
      // Recovery reads it again, and tells.
    }
    return last
  }

  #readHeader(name: string): { bytes: number; header: ReturnType<typeof decodeSegmentHeader> } {
    const fd = this.#fs.openSync(this.file(name), 'r')
    try {
      const bytes = this.#fs.sizeSync(fd)
      const header = Buffer.alloc(Math.min(bytes, SEGMENT_HEADER_BYTES))
      return { bytes, header: decodeSegmentHeader(readSync(this.#fs, fd, header)) }
    } finally {
      this.#fs.closeSync(fd)
    }
  }
}

/** Files that are being made and are complete only under another name. */
export const TEMPORARY_SUFFIX = '.tmp'
