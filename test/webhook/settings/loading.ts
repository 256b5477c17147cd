import { checkProperty, RESERVED_PROPERTIES } from '../../../sidecar/kafka/properties.ts'
import { loadSettings, SettingsError } from '../../../webhook/settings/load.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'

/** The least that a file of settings has. */
export const LEAST = 'image: registry.example/inference-logger:1\nkafka: {brokers: "kafka:9092"}\n'

const CHECKS = { checkProperty, reserved: RESERVED_PROPERTIES }

/** Loads settings with the real librdkafka as judge of its properties. */
export function load(text: string): Settings {
  return loadSettings(text, CHECKS)
}

/** Loads what is required, and more. */
export function loadWith(more: string): Settings {
  return load(LEAST + more)
}

/** What is said about a file that is wrong, a line a mistake; empty when it is right. */
export function mistakesIn(text: string): string[] {
  try {
    load(text)
    return []
  } catch (error) {
    if (error instanceof SettingsError) return error.message.split('\n')
    throw error
  }
}

/** The same for a file that has what is required, and more. */
export function mistakesWith(more: string): string[] {
  return mistakesIn(LEAST + more)
}
