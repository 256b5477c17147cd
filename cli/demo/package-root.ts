import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of this package: above the built files or the sources, else the working directory. */
export function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (isOurs(folder)) return folder
    if (folder === dirname(folder)) return process.cwd()
  }
}

function isOurs(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }
    return name === 'inference-logger'
  } catch {
    return false
  }
}
