/** A run of bytes in a segment: offset and length. */
export type ByteRange = [offset: number, length: number]

/** Sorts ranges, and joins those that touch. */
export function mergeRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = []
  for (const [offset, length] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && last[0] + last[1] >= offset) last[1] = Math.max(last[1], offset + length - last[0])
    else merged.push([offset, length])
  }
  return merged
}
