/** The head of an HTTP/1.1 response, as far as Go's connection handling looks at it. */
export interface ResponseHead {
  status: number
  /** Bytes of body, or -1 when only its end will tell (chunked, or until the connection closes). */
  contentLength: number
  chunked: boolean
  /** The connection ends with this response. */
  close: boolean
}

/**
 * Reads a response head.
 *
 * @param data what the connection has delivered so far
 * @returns the head and where the body starts, or undefined while the head is incomplete
 * @throws SyntaxError when it is no HTTP/1.x response
 */
export function parseHead(data: Buffer): { head: ResponseHead; bodyStart: number } | undefined {
  const end = data.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine = '', ...lines] = data.toString('latin1', 0, end).split('\r\n')
  const match = /^HTTP\/1\.([01]) (\d{3})/.exec(statusLine)
  if (!match) throw new SyntaxError(`malformed HTTP response "${statusLine}"`)
  const status = Number(match[2])
  const headers = new Map(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  )
  const connection = headers.get('connection')?.toLowerCase()
  let close = connection === 'close' || (match[1] === '0' && connection !== 'keep-alive')
  const chunked = headers.get('transfer-encoding')?.toLowerCase() === 'chunked'
  const length = headers.get('content-length')
  let contentLength = -1
  if (status === 204 || status === 304 || status < 200) contentLength = 0
  else if (!chunked && length !== undefined) contentLength = Number(length)
  else if (!chunked) close = true
  return { head: { status, contentLength, chunked, close }, bodyStart: end + 4 }
}

/**
 * Takes the body out of what follows the head.
 *
 * @returns the body when it is complete; undefined when more has to come (or when only the connection's end completes it)
 */
export function parseBody(head: ResponseHead, data: Buffer): Buffer | undefined {
  if (!head.chunked) {
    return head.contentLength >= 0 && data.length >= head.contentLength
      ? data.subarray(0, head.contentLength)
      : undefined
  }
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = data.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(data.toString('latin1', at, lineEnd), 16)
    if (data.length < lineEnd + 2 + size + 2) return undefined
    if (size === 0) return Buffer.concat(chunks)
    chunks.push(data.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
