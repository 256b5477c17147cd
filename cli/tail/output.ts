import { once } from 'node:events'

/** Standard output that somebody may stop reading (`| head`), or read slowly. */
export class Output {
  readonly #stream: NodeJS.WritableStream
  readonly #closed = new AbortController()

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.#closed.abort()
    })
  }

  /** Aborted when nobody reads any more. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Writes, and waits while the reader is behind, so that memory stays bounded. Does nothing once closed. */
  async write(text: string): Promise<void> {
    if (this.#closed.signal.aborted || text === '' || this.#stream.write(text)) return
    await once(this.#stream, 'drain', { signal: this.#closed.signal }).catch(() => {})
  }
}
