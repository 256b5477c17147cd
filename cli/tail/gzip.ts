import { gunzipSync } from 'node:zlib'

/** What a payload may grow to for being shown, in bytes: a bomb of 10 MiB would be 10 GiB. */
const MAX_BYTES = 32 * 1024 * 1024

/** Decompresses gzip; undefined when it is broken or too large to be shown. */
export function gunzip(data: Buffer): Buffer | undefined {
  try {
    return gunzipSync(data, { maxOutputLength: MAX_BYTES })
  } catch {
    return undefined
  }
}
