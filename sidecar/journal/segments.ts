import type { JournalDirectory } from './directory.ts'
import { unlinkIfThere, type FileSystem } from './file-system.ts'
import { encodeSegmentHeader, RELEASED_SUFFIX, SEGMENT_HEADER_BYTES, SEGMENT_SUFFIX, segmentName } from './format.ts'
import { saveReleases } from './releases.ts'
import { Segment } from './segment.ts'

/** Where a record is. */
export interface Place {
  readonly segment: Segment
  readonly offset: number
}

/** What the set of segments is made with. */
export interface SegmentsOptions {
  readonly fs: FileSystem
  readonly directory: JournalDirectory
  /** New files are to survive a crash of the machine: their names have to be on the device. */
  readonly syncNames: boolean
  /** Files could not be removed; they stay. */
  readonly onRemoveFailed: (error: NodeJS.ErrnoException) => void
}

/** The segments of a journal, in the order of their sequences, and their files. */
export class Segments {
  readonly #o: SegmentsOptions
  #list: Segment[] = []
  readonly #byId = new Map<number, Segment>()
  /** Segments whose records are in a compacted one by now, and whose numbers are still in use. */
  readonly #origins = new Map<Segment, readonly Segment[]>()
  /** Segments with releases that are not noted yet. */
  readonly #dirty = new Set<Segment>()
  /** Files without a record that could not be removed, and whose names are needed again. */
  readonly #leftOver = new Set<string>()
  #unlinking = 0
  #onUnlinked: (() => void)[] = []
  #lastId = 0
  /** Size of all files, in bytes. */
  bytes = 0

  constructor(options: SegmentsOptions) {
    this.#o = options
  }

  get all(): readonly Segment[] {
    return this.#list
  }

  /** A number for a segment. */
  nextId(): number {
    return ++this.#lastId
  }

  /** Adds one that an earlier run left. */
  adopt(firstSequence: number, run: string, bytes: number): void {
    this.#add(firstSequence, run, bytes, true)
  }

  /**
   * Makes a file, and opens it for writing.
   * @throws {NodeJS.ErrnoException}
   */
  create(firstSequence: number, run: string): Segment {
    const { fs, directory, syncNames } = this.#o
    const path = directory.file(segmentName(firstSequence))
    if (this.#leftOver.has(path)) {
      unlinkIfThere(fs, path)
      this.#leftOver.delete(path)
    }
    const fd = fs.openSync(path, 'wx+')
    try {
      const header = encodeSegmentHeader({ firstSequence, run, createdAt: Date.now() })
      for (let at = 0; at < header.length;) at += fs.writeSync(fd, header, at, header.length - at, at)
      if (syncNames) {
        fs.fdatasyncSync(fd)
        fs.syncDirectorySync(directory.path)
      }
    } catch (error) {
      this.#closeQuietly(fd)
      this.#unlinkEmpty(path)
      throw error
    }
    const segment = this.#add(firstSequence, run, SEGMENT_HEADER_BYTES, false)
    segment.fd = fd
    return segment
  }

  /** A record was released. */
  release(was: Segment, offsetWas: number, size: number): void {
    const place = present(was, offsetWas)
    if (place === undefined || place.segment.removed) return
    const { segment, offset } = place
    if (segment.release(offset, size)) this.#dirty.add(segment)
    if (segment.live === 0 && segment.sealed) this.remove(segment)
  }

  /** Where a record is at present; undefined when it is gone. Places change by compaction only. */
  locate(segmentId: number, offset: number): Place | undefined {
    const segment = this.#byId.get(segmentId)
    const place = segment && present(segment, offset)
    return place?.segment.removed ? undefined : place
  }

  /** Numbers that a segment's records may be known by. */
  idsOf(segment: Segment): ReadonlySet<number> {
    return new Set([segment, ...(this.#origins.get(segment) ?? [])].map(({ id }) => id))
  }

  /** Nothing is added to it any more. */
  seal(segment: Segment): void {
    segment.sealed = true
    if (segment.live === 0) this.remove(segment)
    else this.closeIfIdle(segment)
  }

  /**
   * A compacted segment takes the place of those whose records it has; its file has that of the first already.
   * @param durable a crash of the machine does not bring the first one back: the others may go
   */
  replace(run: readonly Segment[], segment: Segment, durable: boolean): void {
    const [first, ...others] = run
    for (const old of run) {
      this.#dirty.delete(old)
      this.bytes -= old.bytes + old.releasedBytes
      this.closeIfIdle(old)
    }
    this.bytes += segment.bytes
    this.#list = this.#list.flatMap(other => (other === first ? [segment] : run.includes(other) ? [] : [other]))
    this.#byId.set(segment.id, segment)
    this.#origins.set(segment, [...run, ...run.flatMap(old => this.#origins.get(old) ?? [])])
    for (const old of run) this.#origins.delete(old)
    if (durable) for (const old of others) this.#unlink(old)
    if (segment.live === 0) this.remove(segment)
  }

  /** Forgets a segment and deletes its files, whatever is in it. */
  remove(segment: Segment): void {
    if (segment.removed) return
    segment.removed = true
    this.#byId.delete(segment.id)
    for (const { id } of this.#origins.get(segment) ?? []) this.#byId.delete(id)
    this.#origins.delete(segment)
    this.#dirty.delete(segment)
    this.#list = this.#list.filter(other => other !== segment)
    this.bytes -= segment.bytes + segment.releasedBytes
    this.closeIfIdle(segment)
    this.#unlink(segment)
  }

  /** Writes down what was released since the last time. */
  noteReleases(): void {
    for (const segment of this.#dirty) {
      const before = segment.releasedBytes
      if (saveReleases(this.#o.fs, segment)) this.#dirty.delete(segment)
      this.bytes += segment.releasedBytes - before
    }
  }

  /** Resolves when no file is being removed any more. */
  async unlinked(): Promise<void> {
    while (this.#unlinking > 0) await new Promise<void>(resolve => this.#onUnlinked.push(resolve))
  }

  /** Adds sizes up anew, where they have changed. */
  measure(): void {
    this.bytes = this.#list.reduce((sum, { bytes, releasedBytes }) => sum + bytes + releasedBytes, 0)
  }

  /** Closes the descriptor of a sealed segment that nobody uses. */
  closeIfIdle(segment: Segment): void {
    if (!segment.sealed || segment.users > 0 || segment.fd === undefined) return
    this.#close(segment, segment.fd)
  }

  /** Closes everything; the files stay. */
  closeAll(): void {
    for (const segment of this.#list) {
      // One that is still read closes when that has ended.
      segment.sealed = true
      this.closeIfIdle(segment)
    }
  }

  #close(segment: Segment, fd: number): void {
    segment.fd = undefined
    this.#closeQuietly(fd)
  }

  #closeQuietly(fd: number): void {
    try {
      this.#o.fs.closeSync(fd)
    } catch {
      // Linux frees the descriptor all the same, and what was written was judged when it was written.
    }
  }

  #add(firstSequence: number, run: string, bytes: number, sealed: boolean): Segment {
    const path = this.#o.directory.file(segmentName(firstSequence))
    const releasedPath = path.slice(0, -SEGMENT_SUFFIX.length) + RELEASED_SUFFIX
    const segment = new Segment({ id: this.nextId(), firstSequence, run, path, releasedPath, bytes, sealed })
    this.#list.push(segment)
    this.#byId.set(segment.id, segment)
    this.bytes += bytes
    return segment
  }

  /** The companion goes last: alone it means nothing, but without it everything is pending. */
  #unlink({ path, releasedPath, hasCompanion, bytes }: Segment): void {
    const { fs, onRemoveFailed } = this.#o
    // One that was never written to leaves its name to the next at once.
    if (bytes <= SEGMENT_HEADER_BYTES) return this.#unlinkEmpty(path)
    this.#unlinking++
    const ended = (): void => {
      this.#unlinking--
      if (this.#unlinking === 0) for (const resolve of this.#onUnlinked.splice(0)) resolve()
    }
    fs.unlink(path, error => {
      // What cannot be removed is delivered again by the next start: no loss, and nothing to be done about it here.
      if (error) onRemoveFailed(error)
      else if (hasCompanion) return fs.unlink(releasedPath, ended)
      ended()
    })
  }

  #unlinkEmpty(path: string): void {
    try {
      this.#o.fs.unlinkSync(path)
    } catch (error) {
      this.#leftOver.add(path)
      this.#o.onRemoveFailed(error as NodeJS.ErrnoException)
    }
  }
}

function present(segment: Segment, offset: number): Place | undefined {
  let place: Place = { segment, offset }
  while (place.segment.moved !== undefined) {
    const { to, offsets } = place.segment.moved
    const movedTo = offsets.get(place.offset)
    if (movedTo === undefined) return undefined
    place = { segment: to, offset: movedTo }
  }
  return place
}
