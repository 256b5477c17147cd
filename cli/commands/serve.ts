import { setFlagsFromString } from 'node:v8'
import { parseConfig, type Config } from '../../sidecar/config/config.ts'
import { ConfigError } from '../../sidecar/config/errors.ts'
import type { Command } from '../../sidecar/config/variables.ts'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { Sidecar } from '../../sidecar/sidecar.ts'
import { realSources } from '../config-sources.ts'
import { stopOnSignal } from '../stop-on-signal.ts'

/** Exit code for a configuration that cannot work (sysexits.h EX_CONFIG): a supervisor can tell it from a crash. */
const EX_CONFIG = 78

/** Runs the sidecar or the gateway until a signal. */
export async function serve(command: Command): Promise<void> {
  const config = configOrExit(command)
  // While Kafka is away, events survive; V8 concludes that those made by the same line always will, and makes them in its
  // old space from then on, where each keeps alive what it points at (measured: 0.7 KB an event promoted, a third of the
  // throughput, and 30 MB).
  setFlagsFromString('--no-allocation-site-pretenuring')
  const logger = createLogger(config.logLevel, command)
  for (const warning of config.warnings) logger.warn(warning)
  // A fault of ours must neither hide nor end what still works: say it, and let the next event be taken.
  process.on('unhandledRejection', error => logger.error({ err: error }, 'unhandled rejection: please report this'))
  let sidecar: Sidecar
  try {
    sidecar = await Sidecar.start(config, logger)
  } catch (error) {
    logger.fatal(`cannot start: ${(error as Error).message}`)
    process.exitCode = 1
    return
  }
  const { listen, opsAddress: ops } = sidecar
  logger.info(
    { listen, ops, brokers: config.brokers, topic: config.topic.text, durability: config.durability },
    'ready'
  )
  stopOnSignal(logger, 'stopping: events are taken until they cease, then what is pending is delivered', async () =>
    (await sidecar.stop()).lost === 0 ? 0 : 1
  )
}

function configOrExit(command: Command): Config {
  try {
    return parseConfig(command, realSources(process.env))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const logger = createLogger('info', command)
    for (const { variable, value, advice } of error.mistakes)
      logger.fatal({ variable, value }, `${variable}: ${advice}`)
    process.exit(EX_CONFIG)
  }
}
