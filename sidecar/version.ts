import Kafka from 'node-rdkafka'
import type { BuildInfo } from './metrics/metrics.ts'
import { packageVersion } from './package-version.ts'

/** Versions of everything that matters when something is wrong. */
export function buildInfo(): BuildInfo {
  return { version: packageVersion(), librdkafka: Kafka.librdkafkaVersion, node: process.versions.node }
}
