import { join } from 'node:path'
import { disk, unlessMissing } from './disk.ts'
import { decodeLetter, type DeadLetter, type LineProblem } from './letter.ts'
import { isLetterFile } from './names.ts'

/** A line of a file of dead letters. */
export interface LetterLine {
  /** As it stands in the file, with its newline if it has one. */
  readonly bytes: Buffer
  /** `torn`: the end of a file whose writer was interrupted. Nobody was told that it is kept. */
  readonly content: DeadLetter | LineProblem | 'torn'
}

/**
 * Names of the files of dead letters in a folder, oldest first.
 * @throws {Error} when there is no such folder, or it cannot be read
 */
export async function letterFiles(folder: string): Promise<string[]> {
  return (await disk.readdir(folder)).filter(isLetterFile).sort()
}

/** The lines of a file's content, decoded one at a time. */
export function* linesOf(content: Buffer): Generator<LetterLine> {
  for (let start = 0; start < content.length;) {
    const newline = content.indexOf(0x0a, start)
    const end = newline === -1 ? content.length : newline + 1
    const bytes = content.subarray(start, end)
    yield { bytes, content: newline === -1 ? 'torn' : decodeLetter(bytes) }
    start = end
  }
}

/** The content of a file of dead letters; empty when it is gone meanwhile. */
export async function readLetterFile(folder: string, name: string): Promise<Buffer> {
  const fd = await disk.open(join(folder, name), 'r').catch(unlessMissing)
  if (fd === undefined) return Buffer.alloc(0)
  try {
    return await disk.read(fd)
  } finally {
    await disk.close(fd)
  }
}
