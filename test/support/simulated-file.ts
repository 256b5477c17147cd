/** Picks one of `options` possibilities: a whole number from 0 on. Where all choices are its, a seed repeats a run. */
export type Choose = (options: number) => number

/** Choices that follow from a seed (mulberry32). */
export function seededChoice(seed: number): Choose {
  let state = seed | 0
  return options => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * options)
  }
}

type Change =
  | { readonly kind: 'write'; readonly number: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly number: number; readonly length: number }

/** Bytes of a file, which grow. */
class Content {
  #bytes = Buffer.alloc(64)
  length = 0

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  /** A gap before it, behind the former end, is zeros. */
  write(position: number, bytes: Buffer): void {
    const end = position + bytes.length
    this.resize(Math.max(this.length, end))
    this.#bytes.set(bytes, position)
  }

  resize(length: number): void {
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(length * 2)
      larger.set(this.bytes)
      this.#bytes = larger
    } else this.#bytes.fill(0, Math.min(length, this.length), Math.max(length, this.length))
    this.length = length
  }
}

/** A file with what is in the page cache, and what of it is on the device. */
export class SimulatedFile {
  readonly #cached = new Content()
  readonly #durable = new Content()
  /** Changes of the cached content that the device may not have, in order. */
  #changes: Change[] = []
  /** Those up to this number were given up by a sync that failed: the next one does not write them. */
  #givenUp = 0
  #last = 0

  /** As a process sees it. */
  get bytes(): Buffer {
    return this.#cached.bytes
  }

  get size(): number {
    return this.#cached.length
  }

  write(position: number, bytes: Buffer): void {
    const change: Change = { kind: 'write', number: ++this.#last, position, bytes: Buffer.from(bytes) }
    apply(this.#cached, change)
    this.#changes.push(change)
  }

  truncate(length: number): void {
    const change: Change = { kind: 'truncate', number: ++this.#last, length }
    apply(this.#cached, change)
    this.#changes.push(change)
  }

  /** The number of the last change: what a sync that begins now is about. */
  get lastChange(): number {
    return this.#last
  }

  /** A sync that succeeded: changes up to a number are on the device, but for those that an earlier one gave up. */
  sync(upTo: number): void {
    this.#changes = this.#changes.filter(change => {
      if (change.number > upTo || change.number <= this.#givenUp) return true
      apply(this.#durable, change)
      return false
    })
  }

  /** A sync that failed: Linux marks the pages clean all the same. */
  failSync(): void {
    this.#givenUp = this.#last
  }

  /** Changes what is stored, behind everybody's back. */
  damage(offset: number, bytes: Buffer): void {
    for (const content of [this.#cached, this.#durable]) {
      const end = Math.min(content.length, offset + bytes.length)
      if (end > offset) content.write(offset, bytes.subarray(0, end - offset))
    }
  }

  /** The machine goes down: of each change that was not synced, any part may have come to the device. */
  losePower(choose: Choose): void {
    for (const change of this.#changes) survive(this.#durable, change, choose)
    this.#changes = []
    this.#cached.resize(0)
    this.#cached.write(0, this.#durable.bytes)
  }
}

function apply(content: Content, change: Change): void {
  if (change.kind === 'truncate') content.resize(change.length)
  else content.write(change.position, change.bytes)
}

function survive(content: Content, change: Change, choose: Choose): void {
  if (change.kind === 'truncate') {
    if (choose(2) === 1) apply(content, change)
    return
  }
  const { position, bytes } = change
  const outcomes = [
    () => {},
    () => content.write(position, bytes),
    () => content.write(position, bytes.subarray(0, choose(bytes.length + 1))),
    // The file has grown, and its data did not come; what was there before stays.
    () => content.resize(Math.max(content.length, position + bytes.length)),
    () => {
      const from = choose(bytes.length + 1)
      content.write(position + from, bytes.subarray(from))
    }
  ]
  outcomes[choose(outcomes.length)]?.()
}
