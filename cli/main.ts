#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, Option } from 'commander'
import { packageVersion } from '../sidecar/package-version.ts'
import type { TailOptions } from './commands/tail.ts'

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
  .command('demo')
  .description('the whole path on this machine: an embedded Kafka, the sidecar, captured KServe traffic, the records')
  .option('--keep', 'stay running afterwards, to send events of your own')
  .action(async (options: { keep?: boolean }) => (await import('./commands/demo.ts')).demo(options))

program.hook('preAction', loadKafka)

await program.parseAsync().catch(fail)
