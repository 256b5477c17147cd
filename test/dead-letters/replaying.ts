import type { TestContext } from 'node:test'
import { Replay, type ReplayResult, type ReplaySettings } from '../../cli/dead-letters/replay.ts'
import { JudgingProducer } from './judging-producer.ts'
import { Kept, storedEvent, temporaryFolder } from './letters.ts'

/** A folder with these dead letters, in several files. */
export async function folderWith(t: TestContext, ids: readonly string[]): Promise<string> {
  const folder = temporaryFolder(t)
  const kept = new Kept(t, { folder, maxBytes: 20_000 })
  for (const id of ids) await kept.keep(storedEvent(id))
  await kept.deadLetters.close()
  return folder
}

/** What a replay did. */
export interface Replayed {
  readonly result: ReplayResult
  readonly printed: string
  readonly producer: JudgingProducer<number>
  /** Ids of the events that Kafka took. */
  readonly taken: string[]
}

/** Replays a folder to a Kafka that a test makes up. */
export async function replay(
  folder: string,
  settings: Partial<ReplaySettings> = {},
  prepare: (producer: JudgingProducer<number>) => void = () => {}
): Promise<Replayed> {
  let printed = ''
  const replaying = new Replay({
    folder,
    isMeant: () => true,
    topic: undefined,
    format: undefined,
    keep: false,
    ensureTopic: undefined,
    print: text => {
      printed += text
      return Promise.resolve()
    },
    patienceMs: 300,
    ...settings
  })
  const producer = new JudgingProducer<number>((token, error) => replaying.onReport(token, error))
  prepare(producer)
  const polling = setInterval(() => producer.poll(), 1)
  try {
    const result = await replaying.run(producer)
    return { result, printed, producer, taken: producer.taken.map(({ key }) => String(key)) }
  } finally {
    clearInterval(polling)
  }
}
