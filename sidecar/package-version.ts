import { readFileSync } from 'node:fs'

/** This package's version, from the package.json above the built files (dist/sidecar) as much as above the sources. */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<
        string,
        string
      >
      if (name === 'inference-logger' && version !== undefined) return version
    } catch {
      // The other of the two.
    }
  }
  return 'unknown'
}
