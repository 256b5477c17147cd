import { runDemo } from '../demo/run.ts'
import { coloursOf, wantsColours } from '../tail/colours.ts'
import { stopSignal } from '../tail/follow.ts'
import { Output } from '../tail/output.ts'

/** The command line's options, as commander has them. */
export interface DemoCommandOptions {
  readonly keep?: boolean
}

/** Width of what is not shown on a terminal. */
const DEFAULT_COLUMNS = 100

/**
 * Shows the whole path on this machine. The exit code is 1 when an event did not arrive as it was sent.
 * @throws {Error} when the demo cannot run
 */
export async function demo({ keep = false }: DemoCommandOptions): Promise<void> {
  const good = await runDemo({
    output: new Output(process.stdout),
    colours: coloursOf(wantsColours(process.stdout, process.env)),
    columns: () => process.stdout.columns ?? DEFAULT_COLUMNS,
    keep,
    stop: stopSignal()
  })
  if (!good) process.exitCode = 1
}
