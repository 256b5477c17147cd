import type { Message } from 'node-rdkafka'

/** A record as a consumer sees it. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** ms since 1970, the producer's or the broker's as the topic has it; undefined when the record has none. */
  readonly timestamp: number | undefined
  readonly key: Buffer | null
  /** null is a tombstone. */
  readonly value: Buffer | null
  /** In the record's order; a name may occur more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Takes a record over from node-rdkafka, whose headers are a list of objects with one key each. */
export function recordOf({ topic, partition, offset, timestamp, key, value, headers }: Message): ConsumedRecord {
  return {
    topic,
    partition,
    offset,
    timestamp: timestamp !== undefined && timestamp >= 0 ? timestamp : undefined,
    key: key === null || key === undefined ? null : Buffer.from(key),
    value,
    headers: (headers ?? []).flatMap(header =>
      // Names and values are Buffers of the record itself: nothing promises that they are text.
      Object.entries(header).map(([name, content]) => [name, Buffer.from(content as Buffer).toString('utf8')] as const)
    )
  }
}
