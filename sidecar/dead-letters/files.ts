import { dirname, join, resolve } from 'node:path'
import { disk, unlessMissing } from './disk.ts'
import { tryLock } from './lock.ts'
import { nextName } from './names.ts'
import { letterFiles, readLetterFile } from './read.ts'

/** Size at which a new file is begun, in bytes; a smaller part of the bound where that is small. */
const FILE_BYTES = 4 * 1024 * 1024
const FILES_AT_LEAST = 8

/** Times that a new file is tried when a replay gets hold of each before it can be written. */
const ATTEMPTS = 5

interface File {
  readonly name: string
  /** All of it is whole lines. */
  readonly size: number
}

/**
 * The files of dead letters: appended to, bounded in bytes by deleting the oldest.
 *
 * A replay, another process, may take any of them at any time and put it back without what it has delivered. So a file is
 * open and locked only while it is written, and written on only when it is as it was left; else a new one is begun. That
 * also keeps a line that was torn, by a crash or a full disk, from being joined with the next one.
 */
export class LetterFiles {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #fileBytes: number
  readonly #now: () => number
  readonly #onDiscarded: (letters: number) => void
  /** Sizes by name. */
  #sizes = new Map<string, number>()
  #bytes = 0
  #current: File | undefined
  #isPrepared = false

  /**
   * @param folder made when it is needed
   * @param now ms since 1970
   * @param onDiscarded told of letters that were deleted to make room
   */
  constructor(folder: string, maxBytes: number, now: () => number, onDiscarded: (letters: number) => void) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#fileBytes = Math.min(FILE_BYTES, Math.floor(maxBytes / FILES_AT_LEAST))
    this.#now = now
    this.#onDiscarded = onDiscarded
  }

  /** Size of all files together when somebody last looked. */
  get bytes(): number {
    return this.#bytes
  }

  /** As many bytes as are worth writing at a time. */
  get batchBytes(): number {
    return this.#fileBytes
  }

  /** Whether the folder could ever be written. */
  get isPrepared(): boolean {
    return this.#isPrepared
  }

  /** Looks how large the files are: a replay makes them smaller. Must not overlap with {@link append}. */
  async look(): Promise<void> {
    const names = (await letterFiles(this.#folder).catch(unlessMissing)) ?? []
    const sizes = new Map<string, number>()
    for (const name of names) {
      const found = await disk.stat(join(this.#folder, name)).catch(unlessMissing)
      if (found !== undefined) sizes.set(name, found.size)
    }
    this.#sizes = sizes
    this.#count()
  }

  /**
   * Writes lines, and returns when they are on the disk. Calls must not overlap.
   * @throws {Error} of the system; nothing of the lines counts as written, and the next call begins a new file
   */
  async append(lines: Buffer): Promise<void> {
    try {
      await this.#prepare()
      if (this.#current !== undefined && this.#current.size + lines.length > this.#fileBytes) this.#current = undefined
      await this.#makeRoomFor(lines.length)
      if (this.#current !== undefined && (await this.#write(this.#current, lines))) return
      await this.#writeNew(lines)
    } catch (error) {
      this.#current = undefined
      throw error
    }
  }

  /** Every time: somebody may have removed the folder. */
  async #prepare(): Promise<void> {
    const made = await disk.mkdir(this.#folder)
    if (made !== undefined) await this.#syncParents(dirname(resolve(made)))
    if (made !== undefined || !this.#isPrepared) await this.look()
    this.#isPrepared = true
  }

  /** The new folder's name, and those of its parents that are new. */
  async #syncParents(oldest: string): Promise<void> {
    let path = dirname(resolve(this.#folder))
    await disk.syncDirectory(path)
    while (path !== oldest && path !== dirname(path)) {
      path = dirname(path)
      await disk.syncDirectory(path)
    }
  }

  async #makeRoomFor(bytes: number): Promise<void> {
    if (this.#bytes + bytes <= this.#maxBytes) return
    await this.look()
    for (const name of [...this.#sizes.keys()]) {
      if (this.#bytes + bytes <= this.#maxBytes || name === this.#current?.name) return
      const letters = await this.#lettersIn(name)
      await disk.unlink(join(this.#folder, name)).catch(unlessMissing)
      this.#sizes.delete(name)
      this.#count()
      if (letters > 0) this.#onDiscarded(letters)
    }
  }

  async #lettersIn(name: string): Promise<number> {
    const content = await readLetterFile(this.#folder, name)
    let letters = 0
    for (let at = content.indexOf(0x0a); at !== -1; at = content.indexOf(0x0a, at + 1)) letters++
    return letters
  }

  async #writeNew(lines: Buffer): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const name = await this.#create()
      try {
        if (!(await this.#write({ name, size: 0 }, lines))) {
          await disk.unlink(join(this.#folder, name)).catch(unlessMissing)
          continue
        }
      } catch (error) {
        // A disk that stays full would collect an empty file with each attempt.
        await disk.unlink(join(this.#folder, name)).catch(() => {})
        throw error
      }
      await disk.syncDirectory(this.#folder)
      return
    }
    throw new Error('every new file of dead letters is taken by another process')
  }

  async #create(): Promise<string> {
    let newest = [...this.#sizes.keys()].at(-1)
    for (;;) {
      const name = nextName(newest, this.#now())
      try {
        await disk.close(await disk.open(join(this.#folder, name), 'wx'))
        return name
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        newest = name
      }
    }
  }

  /** @returns false when the file is not there any more as it was left, or in other hands */
  async #write(file: File, lines: Buffer): Promise<boolean> {
    const path = join(this.#folder, file.name)
    const fd = await disk.open(path, 'r+').catch(unlessMissing)
    if (fd === undefined) return false
    try {
      if (!tryLock(fd)) return false
      const [mine, named] = [await disk.fstat(fd), await disk.stat(path).catch(unlessMissing)]
      // It was replaced between open() and the lock: what is written to this one nobody would find.
      if (named?.ino !== mine.ino || mine.size !== file.size) return false
      try {
        await disk.write(fd, lines, file.size)
        await disk.sync(fd)
      } catch (error) {
        await disk.truncate(fd, file.size).catch(() => {})
        throw error
      }
    } finally {
      await disk.close(fd)
    }
    this.#current = { name: file.name, size: file.size + lines.length }
    this.#sizes.set(file.name, this.#current.size)
    this.#count()
    return true
  }

  #count(): void {
    this.#bytes = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0)
  }
}
