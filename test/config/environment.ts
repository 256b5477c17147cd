import { parseConfig, type Config, type ConfigSources } from '../../sidecar/config/config.ts'
import { ConfigError } from '../../sidecar/config/errors.ts'
import type { Command } from '../../sidecar/config/variables.ts'
import { checkProperty, RESERVED_PROPERTIES } from '../../sidecar/kafka/properties.ts'

/** An environment as a test describes it: the one required variable is there. */
export type Env = Readonly<Record<string, string | undefined>>

const noFile = (): never => {
  throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
}

/** Parses an environment with the real librdkafka as judge of its properties. */
export function parse(env: Env, files: Readonly<Record<string, string>> = {}, command: Command = 'sidecar'): Config {
  const sources: ConfigSources = {
    env: { KAFKA_BROKERS: 'kafka:9092', ...env },
    readFile: path => files[path] ?? noFile(),
    checkProperty,
    reserved: RESERVED_PROPERTIES
  }
  return parseConfig(command, sources)
}

/** What is said about an environment that is wrong; empty when it is right. */
export function mistakesIn(env: Env, files: Readonly<Record<string, string>> = {}): string[] {
  try {
    parse(env, files)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
}
