import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

/** How watching is paced. */
export interface WatchOptions {
  /** From the first sign of a change to the call, ms: several files that change together are one call. */
  readonly debounceMs?: number
  /** Between looks at the files without any sign, ms. */
  readonly pollMs?: number
}

/**
 * Watches files: those in a mounted ConfigMap or Secret (whose folder's `..data` link is replaced), those that are
 * replaced by a rename, and those that are written in place. Files and their folders may be missing, and come and go.
 *
 * What counts is the content, as it is when this is called: begin to watch before reading, and no change is missed. The
 * system's notices only say when to look, and there is a look every `pollMs` in any case, because notices get lost (network
 * file systems, too many watches, a file behind a link). A process that has nothing else to do ends all the same.
 *
 * @param paths read whole to compare them: settings and certificates, not data
 * @param changed called when the content of any file is another one than before, or a file appeared, vanished or cannot be read
 * @returns stops watching; no call comes after it
 */
export function watchFiles(paths: readonly string[], changed: () => void, options: WatchOptions = {}): () => void {
  const { debounceMs = 100, pollMs = 10_000 } = options
  const folders = [...new Set(paths.map(path => dirname(resolve(path))))]
  let watchers: FSWatcher[] = []
  let pending: NodeJS.Timeout | undefined

  const look = (): void => {
    pending = undefined
    const now = fingerprint(paths)
    if (now === seen) return
    seen = now
    changed()
  }
  const soon = (): void => {
    pending ??= setTimeout(look, debounceMs).unref()
  }
  const forget = (): void => {
    for (const watcher of watchers) watcher.close()
    watchers = []
  }
  // A folder that was deleted and made again may have the same inode, and its watch is dead without a word: every poll
  // begins anew.
  const arm = (): void => {
    forget()
    watchers = folders.flatMap(folder => watchFolder(folder, soon, arm) ?? [])
  }

  arm()
  let seen = fingerprint(paths)
  const poll = setInterval(() => {
    arm()
    soon()
  }, pollMs).unref()
  return () => {
    clearInterval(poll)
    clearTimeout(pending)
    forget()
  }
}

/** @returns undefined when it cannot be watched now: it is missing, or the system's watches are used up */
function watchFolder(folder: string, noticed: () => void, gone: () => void): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false }, (event, name) => {
      noticed()
      // What inotify calls the folder itself, when it is deleted or moved.
      if (event === 'rename' && name === basename(folder)) gone()
    }).on('error', noticed)
  } catch {
    return undefined
  }
}

/** Equal for equal contents. A certificate's key is not kept in memory for this: a digest is enough. */
function fingerprint(paths: readonly string[]): string {
  return paths.map(digest).join()
}

function digest(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('base64')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable'
  }
}
