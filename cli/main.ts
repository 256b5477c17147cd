#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, Option } from 'commander'
import { packageVersion } from '../sidecar/package-version.ts'
import type { ListOptions, ReplayOptions } from './commands/dead-letters.ts'
import type { InjectOptions } from './commands/inject.ts'
import type { InspectOptions } from './commands/journal.ts'
import type { TailOptions } from './commands/tail.ts'
import type { WebhookFlags } from './commands/webhook.ts'

/** Ends with what went wrong on standard error, without a stack: these are the user's to read. */
function fail(error: unknown): void {
  console.error(`inference-logger: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

/**
 * Loads node-rdkafka before a command does. An add-on that was not built is found by require() here: from within an
 * import Node ends the process with the stack of it.
 * @throws {Error} that says how to build it
 */
function loadKafka(): void {
  try {
    createRequire(import.meta.url)('node-rdkafka')
  } catch (error) {
    throw new Error(
      'node-rdkafka is not built. Run `npm rebuild node-rdkafka`, which needs a C++ compiler, make and Python ' +
        '(npm 12 runs only those install scripts that package.json allows in `allowScripts`)',
      { cause: error }
    )
  }
}

const program = new Command('inference-logger')
  .description('Takes the inference requests and responses that KServe logs as CloudEvents and writes them to Kafka.')
  .version(packageVersion())
  .showHelpAfterError()

program
  .command('sidecar')
  .description('runs beside the predictor: events on 127.0.0.1:9480 to Kafka')
  .addHelpText('after', '\nSettings are environment variables; KAFKA_BROKERS is required. See docs/configuration.md.')
  .action(async () => (await import('./commands/serve.ts')).serve('sidecar'))

program
  .command('gateway')
  .description('the same with the defaults of the original service: events on 0.0.0.0:8080, record format envelope')
  .addHelpText('after', '\nSettings are environment variables; KAFKA_BROKERS is required. See docs/configuration.md.')
  .action(async () => (await import('./commands/serve.ts')).serve('gateway'))

program
  .command('webhook')
  .description('admission webhook of Kubernetes: adds the sidecar to the KServe pods of labelled namespaces')
  .addOption(new Option('--settings <file>', 'what is injected, YAML').env('WEBHOOK_SETTINGS'))
  .addOption(new Option('--certificates <directory>', 'tls.crt and tls.key').env('WEBHOOK_CERTIFICATES'))
  .addOption(new Option('--listen <address>', 'HTTPS, POST /mutate').env('WEBHOOK_LISTEN').default('[::]:8443'))
  .addOption(
    new Option('--ops-listen <address>', '/metrics, /healthz and /readyz')
      .env('WEBHOOK_OPS_LISTEN')
      .default('[::]:9482')
  )
  .addOption(
    new Option('--events [boolean]', 'Kubernetes Events on the pods’ owners').env('WEBHOOK_EVENTS').default(false)
  )
  .addOption(
    new Option('--drain <time>', 'how long to serve on after SIGTERM, for endpoints to be removed')
      .env('WEBHOOK_DRAIN')
      .default('5s')
  )
  .addOption(new Option('--log-level <level>', 'pino’s levels').env('WEBHOOK_LOG_LEVEL').default('info'))
  .addHelpText('after', '\n--settings and --certificates are required. See docs/webhook.md.')
  .action(async (flags: WebhookFlags) => (await import('./commands/webhook.ts')).webhook(flags))

program
  .command('tail')
  .description('follows topics and shows requests and responses')
  .addOption(new Option('-b, --brokers <list>', 'Kafka bootstrap servers, host:port').env('KAFKA_BROKERS'))
  .requiredOption('-t, --topic <name...>', 'topics to follow; ^… is a regular expression')
  .option('--from-beginning', 'start with the oldest record instead of the next one')
  .option('-n, --count <number>', 'stop after this many records')
  .option('--json', 'one JSON object a record, with the whole payload')
  .option('--wide', 'show payloads whole, not cut to the width of the terminal')
  .addHelpText('after', '\nKAFKA_CONFIG_<NAME> and KAFKA_CONFIG_FILE set librdkafka properties, as for the sidecar.')
  .action(async (options: TailOptions) => (await import('./commands/tail.ts')).tail(options))

program
  .command('inject')
  .description('the webhook offline: manifests in, manifests with the sidecar out, the reasons on standard error')
  // A script has to tell a wrong command line from a wrong manifest.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .requiredOption('-f, --filename <file...>', 'manifests, YAML or JSON; a folder’s; - for standard input')
  .option('--settings <file>', 'the webhook’s settings file')
  .option('--image <image>', 'instead of a settings file: the sidecar’s image')
  .option('--brokers <list>', 'instead of a settings file: Kafka bootstrap servers, host:port')
  .option('-n, --namespace <namespace>', 'of objects that do not say their own', 'default')
  .addOption(new Option('-o, --output <format>', 'what to print').choices(['yaml', 'json', 'patch']).default('yaml'))
  .addOption(new Option('--report <format>', 'on standard error').choices(['text', 'json', 'none']).default('text'))
  .addHelpText('after', '\nExit codes: 0 a pod gets the sidecar or has it, 3 none does (the output is the input),')
  .addHelpText('after', '1 something is wrong and nothing was printed, 2 wrong command line. See docs/inject.md.')
  .action(async (options: InjectOptions) => (await import('./commands/inject.ts')).injectCommand(options))

program
  .command('demo')
  .description('the whole path on this machine: an embedded Kafka, the sidecar, captured KServe traffic, the records')
  .option('--keep', 'stay running afterwards, to send events of your own')
  .action(async (options: { keep?: boolean }) => (await import('./commands/demo.ts')).demo(options))

const deadLetters = program
  .command('dead-letters')
  .description('events that Kafka refused for good: lists them, or sends them again')
  // A script has to tell a wrong command line from dead letters that were refused again.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))

deadLetters
  .command('list')
  .description('shows them; changes nothing, needs no Kafka')
  .option('--dir <directory>', 'the journal’s directory; INFERENCE_LOGGER_JOURNAL_DIR, or its default')
  .option('--json', 'one JSON object a dead letter, without its data')
  .action(async (options: ListOptions) => (await import('./commands/dead-letters.ts')).listDeadLetters(options))

deadLetters
  .command('replay')
  .description('sends them to their topics and removes what was delivered; a sidecar may run meanwhile')
  .option('--dir <directory>', 'the journal’s directory; INFERENCE_LOGGER_JOURNAL_DIR, or its default')
  .addOption(new Option('-b, --brokers <list>', 'Kafka bootstrap servers, host:port').env('KAFKA_BROKERS'))
  .option('-t, --topic <name>', 'send all to this topic')
  .option('--format <format>', 'record format, instead of the one in which they were refused')
  .option('--id <id...>', 'only events with these ids')
  .option('--reason <reason>', 'only what was refused for this reason')
  .option('--dry-run', 'show what would be sent')
  .option('--keep', 'leave in the files what was delivered')
  .addHelpText('after', '\nKAFKA_CONFIG_<NAME> and KAFKA_CONFIG_FILE set librdkafka properties, as for the sidecar.')
  .addHelpText('after', 'Exit codes: 0 all delivered, 1 something was not, 2 wrong command line.')
  .action(async (options: ReplayOptions) => (await import('./commands/dead-letters.ts')).replayDeadLetters(options))

program
  .command('journal')
  .description('what the sidecar keeps on disk')
  // Exit code 1 means that something is damaged.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .command('inspect')
  .description('shows the segments of a journal, what is pending and what is damaged; changes nothing, needs no Kafka')
  .argument('<directory>', 'the journal’s directory, as in INFERENCE_LOGGER_JOURNAL_DIR')
  .option('--json', 'one JSON object')
  .addHelpText(
    'after',
    '\nExit codes: 0 sound, 1 something is damaged, 2 the directory cannot be read, or the command line is wrong.'
  )
  .action(async (directory: string, options: InspectOptions) =>
    (await import('./commands/journal.ts')).inspect(directory, options)
  )

/** Commands that do without Kafka: they work in a pod, or on a copy, where node-rdkafka was not built. */
const WITHOUT_KAFKA: ReadonlySet<string> = new Set(['list', 'inspect', 'inject', 'webhook'])

program.hook('preAction', (_program, command) => {
  if (!WITHOUT_KAFKA.has(command.name())) loadKafka()
})

await program.parseAsync().catch(fail)
