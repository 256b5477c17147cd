import { connect } from 'node:net'

/** What the sidecar answered. */
export interface Answer {
  readonly status: number
  /** ms from the last byte sent to the reply. */
  readonly ms: number
}

/** ms that a reply may take. */
const TIMEOUT_MS = 5000

/**
 * Sends requests as they are, byte for byte, one after the other on one connection, as a worker of KServe's agent does.
 * @param address `host:port`
 * @returns an answer for each
 * @throws {Error} when the connection fails, or a reply is late or has a body
 */
export async function replay(address: string, requests: readonly Buffer[]): Promise<Answer[]> {
  const { hostname, port } = new URL(`http://${address}`)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true })
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no reply from ${address} within ${TIMEOUT_MS} ms`)))
  const replies = heads(socket)
  try {
    const answers: Answer[] = []
    for (const request of requests) {
      const start = performance.now()
      socket.write(request)
      const { value, done } = await replies.next()
      if (done) throw new Error(`${address} closed the connection without a reply`)
      answers.push({ status: statusOf(value), ms: performance.now() - start })
    }
    return answers
  } finally {
    socket.destroy()
  }
}

/** The heads of the replies; a reply to an event has nothing behind its head. */
async function* heads(socket: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let text = ''
  for await (const chunk of socket) {
    text += chunk.toString('latin1')
    for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
      const head = text.slice(0, end)
      text = text.slice(end + 4 + bodyLength(head))
      yield head
    }
  }
}

function bodyLength(head: string): number {
  return Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
}

function statusOf(head: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0)
}
