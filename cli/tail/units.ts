const SIZES = ['B', 'KiB', 'MiB', 'GiB']

/** Writes a size for a person: `51 B`, `1.4 KiB`, `12 MiB`. */
export function formatBytes(bytes: number): string {
  let size = bytes
  let unit = 0
  // 1023.6 KiB would be written as 1024 KiB.
  while (size >= 1023.5 && unit < SIZES.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 || size >= 9.95 ? Math.round(size) : size.toFixed(1)} ${SIZES[unit] ?? ''}`
}

/** Writes a length of time for a person: `0.42 ms`, `12 ms`, `1.53 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 9.95) return `${ms < 0.995 ? ms.toFixed(2) : ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/**
 * Reads an RFC 3339 time with all its digits: KServe's has nine, and a Date would keep three.
 * @returns ns since 1970; undefined when it is no time
 */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null) return undefined
  const [, seconds = '', fraction = '', zone = ''] = match
  const ms = Date.parse(`${seconds.replace(' ', 'T')}${zone}`.toUpperCase())
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}
