import type { CheckProperty } from '../../sidecar/config/kafka-config.ts'

/** What only librdkafka knows about the settings. It is a large add-on, and most settings do not need it. */
export interface SettingsChecks {
  readonly checkProperty: CheckProperty
  /** Properties that cannot be set, with the reason. */
  readonly reserved: ReadonlyMap<string, string>
}

/**
 * Loads what checks librdkafka's properties; called only for settings that have some.
 * @returns undefined where librdkafka is not installed: its properties are then not checked
 */
export type ChecksProvider = () => Promise<SettingsChecks | undefined>
