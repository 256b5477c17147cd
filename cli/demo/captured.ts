import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './package-root.ts'

/** A request as KServe's agent sent it. */
export interface CapturedRequest {
  /** The file's name without its ending. */
  readonly name: string
  /** The whole HTTP/1.1 request. */
  readonly raw: Buffer
  readonly id: string
  readonly type: string
  readonly inferenceService: string
  readonly body: Buffer
}

/**
 * Reads the captured requests that come with the package, in the order of their names: each request before its response.
 * @throws {Error} when there are none
 */
export function loadCaptured(folder: string = join(packageRoot(), 'demo')): CapturedRequest[] {
  let files: string[]
  try {
    files = readdirSync(folder).filter(file => file.endsWith('.http'))
  } catch (error) {
    throw new Error(`the captured requests are not in ${folder}`, { cause: error })
  }
  if (files.length === 0) throw new Error(`there are no captured requests in ${folder}`)
  return files.sort().map(file => parse(file.slice(0, -'.http'.length), readFileSync(join(folder, file))))
}

function parse(name: string, raw: Buffer): CapturedRequest {
  const headEnd = raw.indexOf('\r\n\r\n')
  const head = raw.toString('utf8', 0, headEnd)
  const header = (wanted: string): string => new RegExp(`^${wanted}: *(.*?)\r?$`, 'im').exec(head)?.[1] ?? ''
  return {
    name,
    raw,
    id: header('ce-id'),
    type: header('ce-type'),
    inferenceService: header('ce-inferenceservicename'),
    body: raw.subarray(headEnd + 4)
  }
}
