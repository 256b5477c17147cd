import { inspectJournal, type JournalReport } from '../../sidecar/journal/inspect.ts'
import { jsonOf, textOf } from '../journal/report.ts'
import { Output } from '../tail/output.ts'

/** The command line's options, as commander has them. */
export interface InspectOptions {
  readonly json?: boolean
}

/** Exit codes: something is damaged; the directory, or something in it, cannot be read. */
const [DAMAGED, UNREADABLE] = [1, 2]

/** Shows what a journal's directory holds. */
export async function inspect(directory: string, { json }: InspectOptions): Promise<void> {
  let report: JournalReport
  try {
    report = await inspectJournal(directory)
  } catch (error) {
    console.error(`inference-logger: ${directory} cannot be read: ${(error as Error).message}`)
    process.exitCode = UNREADABLE
    return
  }
  const now = Date.now()
  await new Output(process.stdout).write(
    json ? `${JSON.stringify(jsonOf(report, now), null, 2)}\n` : textOf(report, now)
  )
  const states = new Set(report.segments.map(({ state }) => state))
  if (states.has('unreadable')) process.exitCode = UNREADABLE
  else if (states.has('corrupt') || states.has('corrupt-header')) process.exitCode = DAMAGED
}
