import { readFileSync } from 'node:fs'
import type { ConfigSources } from '../sidecar/config/config.ts'
import { checkProperty, RESERVED_PROPERTIES } from '../sidecar/kafka/properties.ts'

/** The real world for the configuration parser. */
export function realSources(env: NodeJS.ProcessEnv): ConfigSources {
  return {
    env,
    readFile: path => readFileSync(path, 'utf8'),
    checkProperty,
    reserved: RESERVED_PROPERTIES
  }
}
