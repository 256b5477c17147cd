const FIELDS = 3
/** Entries in a chunk. */
const CHUNK = 512

interface Chunk {
  readonly fields: Uint32Array
  /** `receivedAt` of the chunk's first entry. */
  readonly receivedAt: number
}

/** Where an event is that is on disk only. */
export interface DiskPlace {
  /** {@link Segment.id} */
  readonly segmentId: number
  readonly offset: number
  readonly size: number
}

/** First in, first out: places of events that are not in memory, 12 bytes each. */
export class DiskIndex {
  #chunks: Chunk[] = []
  /** Entries taken from the first chunk. */
  #head = 0
  /** Entries put into the last chunk. */
  #tail = CHUNK
  length = 0

  push(segmentId: number, offset: number, size: number, receivedAt: number): void {
    if (this.#tail === CHUNK) {
      this.#chunks.push({ fields: new Uint32Array(CHUNK * FIELDS), receivedAt })
      this.#tail = 0
    }
    const fields = this.#chunks.at(-1)?.fields
    if (fields === undefined) return
    const at = this.#tail++ * FIELDS
    fields[at] = segmentId
    fields[at + 1] = offset
    fields[at + 2] = size
    this.length++
  }

  /** The first place, which stays; undefined when there is none. */
  peek(): DiskPlace | undefined {
    const fields = this.#chunks[0]?.fields
    if (this.length === 0 || fields === undefined) return undefined
    const at = this.#head * FIELDS
    return { segmentId: fields[at] ?? 0, offset: fields[at + 1] ?? 0, size: fields[at + 2] ?? 0 }
  }

  /** Takes the first place away. */
  shift(): void {
    if (this.length === 0) return
    this.length--
    if (++this.#head === CHUNK) {
      this.#chunks.shift()
      this.#head = 0
    }
    if (this.length === 0) {
      this.#chunks = []
      this.#head = 0
      this.#tail = CHUNK
    }
  }

  /** `receivedAt` of the oldest event, or of one that came shortly before it; undefined when there is none. */
  get oldestReceivedAt(): number | undefined {
    return this.#chunks[0]?.receivedAt
  }
}
