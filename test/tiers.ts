import { spawnSync } from 'node:child_process'

/** A group of tests that needs the same tools. */
export interface Tier {
  readonly name: string
  /** Folders below test/ whose *.test.js belong to it; the fast tier has all that no other names. */
  readonly folders: readonly string[]
  /** What is missing on this machine, as a sentence that says what to install; undefined: the tier can run. */
  readonly missing: () => string | undefined
}

function lacks(command: string, ...args: string[]): boolean {
  const result = spawnSync(command, args, { stdio: 'ignore' })
  return result.error !== undefined || result.status !== 0
}

/** Every tier, fastest first. */
export const tiers: readonly Tier[] = [
  { name: 'fast', folders: [], missing: () => undefined },
  {
    name: 'kafka',
    folders: ['kafka'],
    missing: () =>
      lacks('java', '-version') || lacks('javac', '-version') || lacks('mvn', '--version')
        ? 'install Java 17 (JDK) and Maven: they fetch and run a real Kafka'
        : undefined
  },
  {
    name: 'image',
    folders: ['image'],
    missing: () => {
      const tools = ['buildah', 'podman', 'runc'].filter(tool => lacks(tool, '--version'))
      if (lacks('which', 'debootstrap')) tools.push('debootstrap')
      return tools.length === 0 ? undefined : `install ${tools.join(', ')} (Debian packages of these names); needs root`
    }
  }
]
