import { buffer } from 'node:stream/consumers'
import { reviewPod } from '../../webhook/review-pod.ts'
import { InputError } from '../inject/input-error.ts'
import { EXIT, inject, type InjectInput } from '../inject/run.ts'
import { settingsFrom, WITHOUT_SETTINGS, type SettingsFrom } from '../inject/settings.ts'
import { readSources } from '../inject/sources.ts'
import { librdkafkaChecks } from '../settings-checks.ts'
import { Output } from '../tail/output.ts'

/** The command line's options, as commander has them. */
export interface InjectOptions {
  readonly filename: readonly string[]
  readonly settings?: string
  readonly image?: string
  readonly brokers?: string
  readonly namespace: string
  readonly output: InjectInput['output']
  readonly report: InjectInput['report']
}

/** The command line is wrong. */
const USAGE = 2

/** Decides about the pods of manifests as the webhook would, and prints the manifests with the sidecar in them. */
export async function injectCommand(options: InjectOptions): Promise<void> {
  const { filename, namespace, output, report } = options
  const from = chosenSettings(options)
  if (typeof from === 'string') {
    console.error(`inference-logger: ${from}`)
    process.exitCode = USAGE
    return
  }
  try {
    const [settings, sources] = await both(
      settingsFrom(from, librdkafkaChecks),
      readSources(filename, () => buffer(process.stdin))
    )
    const outcome = inject({ sources, reviewPod, settings, namespace, output, report })
    await new Output(process.stderr).write(outcome.stderr)
    await new Output(process.stdout).write(outcome.stdout)
    process.exitCode = outcome.code
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    for (const line of error.message.split('\n')) console.error(`inference-logger: ${line}`)
    process.exitCode = EXIT.FAILED
  }
}

/** Waits for both, so that what is wrong with either is said at once. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  const settled = await Promise.allSettled([one, other])
  const errors = settled.flatMap(result => (result.status === 'rejected' ? [result.reason as Error] : []))
  const fault = errors.find(error => !(error instanceof InputError))
  if (fault) throw fault
  if (errors.length > 0) throw new InputError(errors.map(({ message }) => message).join('\n'))
  return [await one, await other]
}

/** @returns a sentence when the options do not say it */
function chosenSettings({ settings, image, brokers }: InjectOptions): SettingsFrom | string {
  if (settings !== undefined) {
    const other = image !== undefined ? '--image' : brokers !== undefined ? '--brokers' : undefined
    return other === undefined ? { file: settings } : `--settings and ${other}: the settings file says it already`
  }
  if (image !== undefined && brokers !== undefined) return { image, brokers }
  if (image !== undefined) return '--image needs --brokers, too: Kafka bootstrap servers, host:port'
  if (brokers !== undefined) return '--brokers needs --image, too: the sidecar’s image'
  return WITHOUT_SETTINGS
}
