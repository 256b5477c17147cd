import { after, before, type TestContext } from 'node:test'
import { freePorts, KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Load, Trial } from '../support/oracle/index.ts'
import type { Metrics } from '../support/sidecar-process.ts'

export const underLoad: Load = { connections: 5, paceMs: 3 }

export const failing = (metrics: Metrics): boolean => metrics.get('inference_logger_journal_failing') === 1
export const healthy = (metrics: Metrics): boolean => metrics.get('inference_logger_journal_failing') === 0

/** What the trials of a file share. */
export interface DiskTrials {
  readonly prepare: (t: TestContext, env: Record<string, string>, journalDir?: string) => Promise<Trial>
  readonly kafka: () => KafkaCluster
  /** Settings with which the sidecar finds no Kafka; known once the tests run. */
  readonly absent: () => Record<string, string>
}

/** One Kafka for all trials of a file about disks, from its first test to its last. */
export function diskTrials(): DiskTrials {
  let kafka: KafkaCluster
  let absent: Record<string, string>
  before(async () => {
    if (withoutOwnKafka) return
    kafka = await KafkaCluster.start()
    const [nowhere] = await freePorts(1)
    absent = { KAFKA_BROKERS: `127.0.0.1:${nowhere}` }
  })
  after(() => (kafka as KafkaCluster | undefined)?.close())
  return {
    kafka: () => kafka,
    absent: () => absent,
    prepare: async (t, env, journalDir) => {
      const trial = await Trial.prepare({
        kafka,
        topics: 2,
        maxBytes: 60_000,
        env: { INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES: '64Ki', ...env },
        ...(journalDir === undefined ? {} : { journalDir })
      })
      t.after(() => trial.close())
      return trial
    }
  }
}
