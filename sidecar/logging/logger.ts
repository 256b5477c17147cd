import { pino, type DestinationStream, type Logger, type LevelWithSilent } from 'pino'

/**
 * The log: JSON lines on standard output, one an incident, never a payload and never a secret.
 * @param destination for tests; standard output otherwise
 */
export function createLogger(level: LevelWithSilent, command: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { command },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
