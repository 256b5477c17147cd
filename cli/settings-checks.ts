import { createRequire } from 'node:module'
import type { SettingsChecks } from '../webhook/settings/checks.ts'

/**
 * Librdkafka as the judge of `kafka.config`, loaded when it is asked for the first time.
 * @returns undefined where node-rdkafka is not built
 */
export async function librdkafkaChecks(): Promise<SettingsChecks | undefined> {
  try {
    // Found by require(): an add-on that was not built ends the process from within an import.
    createRequire(import.meta.url)('node-rdkafka')
  } catch {
    return undefined
  }
  const { checkProperty, RESERVED_PROPERTIES } = await import('../sidecar/kafka/properties.ts')
  return { checkProperty, reserved: RESERVED_PROPERTIES }
}
