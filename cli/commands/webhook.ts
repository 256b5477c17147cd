import { hostname } from 'node:os'
import { parseListenOne } from '../../sidecar/config/addresses.ts'
import type { Mistake } from '../../sidecar/config/errors.ts'
import { parseBoolean, parseDuration, ValueError } from '../../sidecar/config/units.ts'
import { variables } from '../../sidecar/config/variables.ts'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { SettingsError } from '../../webhook/settings/errors.ts'
import { logMistakes, Webhook, type WebhookOptions } from '../../webhook/webhook.ts'
import { librdkafkaChecks } from '../settings-checks.ts'
import { stopOnSignal } from '../stop-on-signal.ts'

/** The command line of `webhook`, as it was written; each option also comes from the environment. */
export interface WebhookFlags {
  readonly settings?: string
  readonly certificates?: string
  readonly listen: string
  readonly opsListen: string
  /** `true` where the flag has no value. */
  readonly events: string | boolean
  readonly drain: string
  readonly logLevel: string
}

type Logger = ReturnType<typeof createLogger>

/** Exit code for a configuration that cannot work (sysexits.h EX_CONFIG): a supervisor can tell it from a crash. */
const EX_CONFIG = 78

/** Where the kubelet puts what a pod needs to talk to its API server. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Runs the admission webhook until a signal. */
export async function webhook(flags: WebhookFlags): Promise<void> {
  const configured = configure(flags)
  if (configured === undefined) return
  const { options, logger } = configured
  // A fault of ours must neither hide nor end what still works: say it, and let the next admission be taken.
  process.on('unhandledRejection', error => logger.error({ err: error }, 'unhandled rejection: please report this'))
  try {
    const running = await Webhook.start(options, logger)
    stopOnSignal(logger, 'stopping: admissions are answered until the API servers know', async () => {
      await running.stop()
      logger.info('stopped')
      return 0
    })
  } catch (error) {
    if (error instanceof SettingsError) {
      logMistakes(error, (fields, message) => logger.fatal(fields, message))
      process.exitCode = EX_CONFIG
      return
    }
    logger.fatal(`cannot start: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

/** @returns undefined when something is wrong: it was logged, and is the exit code */
function configure(flags: WebhookFlags): { readonly options: WebhookOptions; readonly logger: Logger } | undefined {
  const mistakes: Mistake[] = []
  const read = <T>(variable: string, text: string | undefined, parse: (text: string) => T, fallback: T): T => {
    try {
      if (text === undefined || text === '') throw new ValueError('required')
      return parse(text)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      mistakes.push({ variable, value: text, advice: error.message })
      return fallback
    }
  }
  const nowhere = { host: '', port: 0 }
  const logLevel = read('--log-level (WEBHOOK_LOG_LEVEL)', flags.logLevel, variables.logLevel.parse, 'info')
  const events = read('--events (WEBHOOK_EVENTS)', String(flags.events), parseBoolean, false)
  const options: WebhookOptions = {
    settings: read('--settings (WEBHOOK_SETTINGS)', flags.settings, String, ''),
    certificates: read('--certificates (WEBHOOK_CERTIFICATES)', flags.certificates, String, ''),
    listen: read('--listen (WEBHOOK_LISTEN)', flags.listen, parseListenOne, nowhere),
    opsListen: read('--ops-listen (WEBHOOK_OPS_LISTEN)', flags.opsListen, parseListenOne, nowhere),
    drainMs: read('--drain (WEBHOOK_DRAIN)', flags.drain, parseDuration, 0),
    events: events ? apiServer(mistakes) : undefined,
    checks: librdkafkaChecks
  }
  const logger = createLogger(logLevel, 'webhook')
  if (mistakes.length === 0) return { options, logger }
  for (const { variable, value, advice } of mistakes) logger.fatal({ variable, value }, `${variable}: ${advice}`)
  process.exitCode = EX_CONFIG
  return undefined
}

/** Where Kubernetes says that its API server is. */
function apiServer(mistakes: Mistake[]): WebhookOptions['events'] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (host === undefined || port === undefined) {
    const advice = 'needs KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which every pod has'
    mistakes.push({ variable: '--events (WEBHOOK_EVENTS)', advice })
    return undefined
  }
  return { host, port: Number(port), folder: SERVICE_ACCOUNT, instance: hostname() }
}
