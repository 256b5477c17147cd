import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import type { CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { DeadLetters, type DeadLetterOptions } from '../../sidecar/dead-letters/dead-letters.ts'
import type { DeadLetter } from '../../sidecar/dead-letters/letter.ts'
import type { DeadLetterObserver } from '../../sidecar/dead-letters/observer.ts'
import { letterFiles, linesOf, readLetterFile } from '../../sidecar/dead-letters/read.ts'
import type { Refusal } from '../../sidecar/delivery/delivery.ts'
import type { RecordOptions } from '../../sidecar/records/build.ts'
import type { StoredEvent } from '../../sidecar/store/store.ts'

/** A folder that is gone after the test. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'inference-logger-dead-letters-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const TOO_LARGE: Refusal = {
  reason: 'record_too_large',
  error: { code: 10, name: 'msg_size_too_large', message: 'Broker: Message size too large' }
}

export const AS_CLOUDEVENT: RecordOptions = { format: 'cloudevent', key: 'id', maxEventBytes: 1_000_000 }

/** An event that delivery gave up. */
export function storedEvent(id: string, data: Buffer | string = `data of ${id}`, topic = 'a-topic'): StoredEvent {
  const event: CloudEvent = {
    attributes: [
      { name: 'specversion', value: '1.0' },
      { name: 'id', value: id },
      { name: 'type', value: 'org.kubeflow.serving.inference.request' },
      { name: 'source', value: 'http://localhost:9081/' },
      { name: 'datacontenttype', value: 'application/json' }
    ],
    data: Buffer.from(data)
  }
  return { event, topic, receivedAt: 1_700_000_000_123, sequence: 1, bytes: 100, replayed: false }
}

/** Any event, whatever it takes to write it down: odd names, the types that values have, bytes of all kinds. */
export const anyEvent: fc.Arbitrary<CloudEvent> = fc.record(
  {
    attributes: fc.array(
      fc.record(
        {
          name: fc.oneof(fc.string(), fc.constantFrom('id', '1', '0', '__proto__', 'id')),
          value: fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.constantFrom('\ud800', '\u2028', '\n', '"}\n{"'),
            fc.boolean(),
            // A header says 0 of -0, and so does JSON.
            fc.maxSafeInteger().map(value => value + 0)
          )
        },
        { noNullPrototype: true }
      ),
      { maxLength: 20 }
    ),
    data: fc
      .oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 5000, maxLength: 5000 }))
      .map(bytes => Buffer.from(bytes))
  },
  { noNullPrototype: true }
)

/** What was told, as text. */
export class Told implements DeadLetterObserver {
  readonly lines: string[] = []

  failed(error: NodeJS.ErrnoException | Error, waiting: number, lost: number): void {
    this.lines.push(`failed ${(error as NodeJS.ErrnoException).code ?? error.message} ${waiting} ${lost}`)
  }

  discarded(letters: number): void {
    this.lines.push(`discarded ${letters}`)
  }

  noted(): void {
    this.lines.push('noted')
  }

  noteRefused({ name }: { name: string }): void {
    this.lines.push(`refused ${name}`)
  }

  noteDelayed({ name }: { name: string }): void {
    this.lines.push(`delayed ${name}`)
  }

  notesSkipped(notes: number): void {
    this.lines.push(`skipped ${notes}`)
  }
}

/** Dead letters of a test, and what became of each. */
export class Kept {
  readonly told = new Told()
  readonly deadLetters: DeadLetters
  /** Ids with what was said, in the order in which it was said. */
  readonly done: [id: string, kept: boolean][] = []

  constructor(t: Pick<TestContext, 'after'>, options: Partial<DeadLetterOptions> & { folder: string }) {
    this.deadLetters = DeadLetters.open({
      maxBytes: 1_000_000,
      waitForFolder: true,
      record: AS_CLOUDEVENT,
      observer: this.told,
      topic: undefined,
      random: () => 0,
      ...options
    })
    // They keep no process alive: in a sidecar its servers do.
    const alive = setInterval(() => {}, 1000)
    t.after(async () => {
      clearInterval(alive)
      await this.deadLetters.close()
    })
  }

  /** Keeps an event, or gives it up. */
  keep(stored: StoredEvent, refusal = TOO_LARGE): Promise<boolean> {
    const id = String(stored.event.attributes.find(({ name }) => name === 'id')?.value)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing was said of ${id} for 10 s`)), 10_000).unref()
      this.deadLetters.keep(stored, refusal, kept => {
        clearTimeout(timer)
        this.done.push([id, kept])
        resolve(kept)
      })
    })
  }
}

/** Everything that stands in a folder, oldest first. */
export async function contentsOf(folder: string): Promise<(DeadLetter | string)[]> {
  const all: (DeadLetter | string)[] = []
  for (const name of await letterFiles(folder)) {
    for (const { content } of linesOf(await readLetterFile(folder, name))) all.push(content)
  }
  return all
}

/** The same as ids. */
export async function idsIn(folder: string): Promise<string[]> {
  return (await contentsOf(folder)).map(letter =>
    typeof letter === 'string' ? letter : String(letter.event.attributes.find(({ name }) => name === 'id')?.value)
  )
}
