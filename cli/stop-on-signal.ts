import type { Logger } from 'pino'

/**
 * Ends the process in order on SIGTERM or SIGINT; a second one ends it at once.
 * @param announcement what is logged when it begins
 * @param stop does it; what it resolves to is the exit code
 */
export function stopOnSignal(logger: Logger, announcement: string, stop: () => Promise<number>): void {
  let stopping = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn({ signal }, 'second signal: exiting at once')
      // Not process.exit(): it waits for the thread pool, where a question to an absent Kafka may take its time.
      process.kill(process.pid, 'SIGKILL')
    }
    stopping = true
    logger.info({ signal }, announcement)
    void stop().then(
      code => process.exit(code),
      (error: unknown) => {
        logger.fatal({ err: error }, 'stopping failed')
        process.exit(1)
      }
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}
