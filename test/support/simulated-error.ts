/** Kinds of calls; a synchronous and an asynchronous one are of the same. */
export type Call =
  | 'mkdir'
  | 'readdir'
  | 'open'
  | 'close'
  | 'size'
  | 'write'
  | 'read'
  | 'truncate'
  | 'sync'
  | 'syncDirectory'
  | 'rename'
  | 'unlink'

/** An error as node:fs has it. */
export function errorOf(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call, path })
}
