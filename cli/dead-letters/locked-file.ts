import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { disk, unlessMissing } from '../../sidecar/dead-letters/disk.ts'
import { tryLock } from '../../sidecar/dead-letters/lock.ts'

/** How long a sidecar may take to finish what it writes, in ms. */
const WAIT_MS = 2000
const TRY_AGAIN_MS = 20

/**
 * A file of dead letters that nobody else changes while it is open here. A sidecar locks a file only while it writes to
 * it, and begins another one when this one is locked, or is not as it left it.
 */
export class LockedFile {
  /** As it was when it was locked. */
  readonly content: Buffer
  /** Somebody else has the lock, for longer than a write takes. */
  readonly isTaken: boolean
  readonly #folder: string
  readonly #path: string
  readonly #fd: number

  private constructor(folder: string, name: string, fd: number, content: Buffer, isTaken: boolean) {
    this.#folder = folder
    this.#path = join(folder, name)
    this.#fd = fd
    this.content = content
    this.isTaken = isTaken
  }

  /** @returns undefined when there is no such file any more */
  static async open(folder: string, name: string): Promise<LockedFile | undefined> {
    const deadline = performance.now() + WAIT_MS
    const path = join(folder, name)
    for (;;) {
      const fd = await disk.open(path, 'r').catch(unlessMissing)
      if (fd === undefined) return undefined
      try {
        const isLocked = tryLock(fd)
        // Another replay may have replaced it before the lock was ours.
        if ((isLocked && (await isNamed(fd, path))) || performance.now() > deadline)
          return new LockedFile(folder, name, fd, await disk.read(fd), !isLocked)
      } catch (error) {
        await disk.close(fd)
        throw error
      }
      await disk.close(fd)
      await sleep(TRY_AGAIN_MS)
    }
  }

  /**
   * Leaves only these lines in the file; without any, it is removed. At each moment there is the old file or the new one.
   * @throws {Error} of the system; then the file is as it was
   */
  async replace(lines: readonly Buffer[]): Promise<void> {
    // The sidecar has deleted it to make room.
    if (!(await isNamed(this.#fd, this.#path))) return
    // Only on a file system without locks.
    if ((await disk.fstat(this.#fd)).size !== this.content.length) throw new Error('it is being written: try again')
    if (lines.length === 0) await disk.unlink(this.#path).catch(unlessMissing)
    else await this.#replaceBy(Buffer.concat(lines))
    await disk.syncDirectory(this.#folder)
  }

  async #replaceBy(bytes: Buffer): Promise<void> {
    const temporary = `${this.#path}.tmp`
    await disk.unlink(temporary).catch(unlessMissing)
    const fd = await disk.open(temporary, 'wx')
    try {
      await disk.write(fd, bytes, 0)
      await disk.sync(fd)
      await disk.rename(temporary, this.#path)
    } catch (error) {
      await disk.unlink(temporary).catch(() => {})
      throw error
    } finally {
      await disk.close(fd)
    }
  }

  /** Lets others have it. */
  close(): Promise<void> {
    return disk.close(this.#fd)
  }
}

/** Whether the open file is the one that has the name now. */
async function isNamed(fd: number, path: string): Promise<boolean> {
  const named = await disk.stat(path).catch(unlessMissing)
  return named?.ino === (await disk.fstat(fd)).ino
}
