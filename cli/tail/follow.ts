import type { Follower } from './follower.ts'
import type { Output } from './output.ts'
import type { ConsumedRecord } from './record.ts'

/**
 * Prints records until enough have come, the signal stops it, or nobody reads any more.
 * @param count how many records; Infinity: no end
 */
export async function printRecords(
  follower: Follower,
  output: Output,
  print: (record: ConsumedRecord) => string,
  count: number,
  stop: AbortSignal
): Promise<void> {
  const ended = (): boolean => stop.aborted || output.closed.aborted
  for (let left = count; left > 0 && !ended();) {
    const records = (await follower.next()).slice(0, left)
    left -= records.length
    for (const record of records) {
      if (ended()) return
      await output.write(print(record))
    }
  }
}

/** A signal that is aborted by the first Ctrl-C or SIGTERM; a second one ends the process as it does by default. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
