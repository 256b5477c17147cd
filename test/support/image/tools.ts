import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Each Debian package is recognised by an executable of its name.
const packages = ['buildah', 'podman', 'runc', 'debootstrap']

/** Where programs are looked for: debootstrap and runc are in sbin, which an ordinary PATH leaves out. */
export const searchPath = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(delimiter)

/** The Debian packages that the image tier needs and this machine lacks, by the names that `apt-get install` takes. */
export function missingTools(): string[] {
  return packages.filter(name => !isInstalled(name))
}

/**
 * For a suite's `skip`: why the image cannot be built on this machine, or false. With CI=true nothing is skipped, and
 * `requireTools` fails.
 */
export const withoutImageTools: string | false = process.env['CI'] !== 'true' && reason()

/** Throws when the image cannot be built on this machine, with what to do about it. */
export function requireTools(): void {
  const missing = reason()
  if (missing !== false) throw new Error(missing)
}

function reason(): string | false {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root, since debootstrap does'
  const missing = missingTools()
  return missing.length > 0 && `needs ${missing.join(', ')} (Debian packages of these names)`
}

/**
 * Tells whether a program is on this machine.
 * @param program its name, or its whole path
 */
export function isInstalled(program: string): boolean {
  if (program.startsWith('/')) return isExecutable(program)
  return searchPath.split(delimiter).some(folder => isExecutable(join(folder, program)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
