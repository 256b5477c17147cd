import { InvalidEventError } from './errors.ts'

/**
 * Decodes base64 with the standard alphabet, strictly: Node's own decoder skips what it does not know.
 * @param what names the text in the error
 * @throws {InvalidEventError} when it is no base64
 */
export function decodeBase64(text: string, what: string): Buffer {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new InvalidEventError('invalid_data', `${what} is not base64`)
  }
  return Buffer.from(text, 'base64')
}
