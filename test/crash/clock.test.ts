import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { type Load, Trial } from '../support/oracle/index.ts'

const idle: Load = { connections: 1, paceMs: 100 }
const underLoad: Load = { connections: 5, paceMs: 3 }
const nodeArguments = ['--import', pathToFileURL(join(import.meta.dirname, '..', 'support', 'faults', 'clock.js')).href]

describe('when the clock is set', { skip: withoutOwnKafka, timeout: 120_000, concurrency: 2 }, () => {
  let kafka: KafkaCluster
  before(async () => {
    kafka = await KafkaCluster.start()
  })
  after(() => kafka.close())

  for (const [direction, hours] of [
    ['back', -1],
    ['forward', 1]
  ] as const) {
    for (const [how, load] of [
      ['idle', idle],
      ['under load', underLoad]
    ] as const) {
      test(`${direction} by an hour, ${how}, no event is lost and no metric turns negative, also after a kill`, async t => {
        const env = {
          CLOCK_SHIFT_MS: String(hours * 3_600_000),
          INFERENCE_LOGGER_JOURNAL_SEGMENT_BYTES: '64Ki',
          // Events are underway when it happens.
          KAFKA_CONFIG_LINGER_MS: '300'
        }
        const trial = await Trial.prepare({ kafka, topics: 2, env })
        t.after(() => trial.close())
        const { victim, issuer } = trial
        const process = await victim.start({}, { nodeArguments })
        issuer.start(load)
        await sleep(700)
        process.signal('SIGUSR2')
        for (let scrape = 0; scrape < 8; scrape++) {
          await sleep(100)
          const negative = [...(await process.metrics())].filter(
            ([sample, value]) => sample.startsWith('inference_logger_') && value < 0
          )
          assert.deepEqual(negative, [])
        }
        assert.ok(
          Math.abs(
            Number((await process.metrics()).get('inference_logger_last_delivery_timestamp_seconds')) -
              (Date.now() / 1000 + hours * 3600)
          ) < 60,
          'the process has the shifted time'
        )
        await issuer.stop()
        await victim.kill()
        // The next life has the right time: its journal is of another one.
        await victim.start()
        issuer.start(load)
        await sleep(300)
        const { refused, unanswered } = await trial.conclude()
        assert.deepEqual({ refused, unanswered }, { refused: 0, unanswered: 0 })
      })
    }
  }
})
