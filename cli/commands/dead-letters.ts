import { variables } from '../../sidecar/config/variables.ts'
import { exists, letterFolder } from '../dead-letters/folder.ts'
import { jsonLine, readListing, table, totals } from '../dead-letters/list.ts'
import { isSelected } from '../dead-letters/selection.ts'
import { UsageError } from '../dead-letters/usage-error.ts'
import { Output } from '../tail/output.ts'

/** The command line's options, as commander has them. */
export interface ListOptions {
  readonly dir?: string
  readonly json?: boolean
}

/** The command line's options, as commander has them. */
export interface ReplayOptions {
  readonly dir?: string
  readonly brokers?: string
  readonly topic?: string
  readonly format?: string
  readonly id?: readonly string[]
  readonly reason?: string
  readonly dryRun?: boolean
  readonly keep?: boolean
}

/** Exit codes: something was not delivered; the command line is wrong. */
const [NOT_ALL, USAGE] = [1, 2]

/** Shows the dead letters of a folder. */
export async function listDeadLetters({ dir, json }: ListOptions): Promise<void> {
  await reportingUsage(async () => {
    const folder = letterFolder(dir, process.env)
    const output = new Output(process.stdout)
    if (!exists(folder)) return json ? undefined : output.write(`no dead letters in ${folder}\n`)
    const listing = await readListing(folder, () => true)
    if (json) for (const letter of listing.letters) await output.write(jsonLine(letter))
    else {
      if (listing.letters.length > 0) await output.write(`${table(listing.letters)}\n`)
      await output.write(totals(listing, folder))
    }
  })
}

/** Sends dead letters to Kafka again, and removes what was delivered. The exit code is 1 when something was not. */
export async function replayDeadLetters(options: ReplayOptions): Promise<void> {
  await reportingUsage(async () => {
    const folder = letterFolder(options.dir, process.env)
    const output = new Output(process.stdout)
    const selection = { ids: options.id, reason: options.reason }
    const topic =
      options.topic === undefined ? undefined : parseOption('--topic', options.topic, variables.deadLetterTopic)
    const format = options.format === undefined ? undefined : parseOption('--format', options.format, variables.format)
    if (!exists(folder)) return output.write(`no dead letters in ${folder}\n`)
    const listing = await readListing(folder, letter => isSelected(letter, selection))
    if (listing.letters.length === 0) return output.write('no dead letters to replay\n')
    if (options.dryRun) return output.write(`${table(listing.letters)}\n${totals(listing, folder)}nothing was sent\n`)
    const { replayTo } = await import('../dead-letters/replay-to.ts')
    const isAllDelivered = await replayTo({
      folder,
      listing,
      selection,
      topic,
      format,
      keep: options.keep ?? false,
      brokers: options.brokers,
      env: process.env,
      print: text => output.write(text),
      notice: line => process.stderr.write(`inference-logger: ${line}\n`)
    })
    if (!isAllDelivered) process.exitCode = NOT_ALL
  })
}

function parseOption<T>(option: string, text: string, { parse }: { parse: (text: string) => T }): T {
  try {
    return parse(text)
  } catch (error) {
    throw new UsageError(`${option} ${text}: has to be ${(error as Error).message}`)
  }
}

async function reportingUsage(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`inference-logger: ${error.message}`)
    process.exitCode = USAGE
  }
}
