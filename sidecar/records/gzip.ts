/**
 * Whether data is gzip, by its magic bytes and method (RFC 1952 2.3.1). KServe logs compressed bodies still compressed
 * and without a word about it.
 */
export function isGzip(data: Buffer): boolean {
  return data.length > 17 && data[0] === 0x1f && data[1] === 0x8b && data[2] === 8
}
