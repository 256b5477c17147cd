import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Kafka } from '../kafka/index.ts'
import { mainScript } from '../sidecar-process.ts'
import { EventSource } from './events.ts'
import { Issuer } from './issuer.ts'
import { assertPromiseKept, judge, type Verdict } from './judge.ts'
import { Victim } from './victim.ts'

export interface TrialOptions {
  kafka: Kafka
  /** What the events follow from; 1 unless said. */
  seed?: number
  /** Settings of the sidecar in every life, over those that lead it to Kafka. */
  env?: Record<string, string>
  /** How many topics the events go to, the first getting most; 3 unless said. */
  topics?: number
  /** Largest body in bytes; nearly a MiB unless said. */
  maxBytes?: number
  /** An existing folder for the journal; one of its own unless said. */
  journalDir?: string
  /** Whether the journal's folder stays when the trial has failed. */
  keepJournal?: boolean
}

export interface ConcludeOptions {
  /** How long delivering what is left may take. */
  timeoutMs?: number
  /** Settings of the life that it starts. */
  env?: Record<string, string>
  /** Events may be set aside; they are sent again in the end, which Kafka has to be ready for. */
  deadLetters?: boolean
  /** Metrics that may count something given up, because the trial is about that. */
  allowGivenUp?: RegExp
}

const FRESH_EVENTS = 10

/** A sidecar, the events that are sent to it, and topics in Kafka that nobody else has: what a fault is tried on. */
export class Trial {
  readonly kafka: Kafka
  readonly source: EventSource
  readonly victim: Victim
  readonly issuer: Issuer

  private constructor(kafka: Kafka, source: EventSource, victim: Victim) {
    this.kafka = kafka
    this.source = source
    this.victim = victim
    this.issuer = new Issuer(source, victim.port)
  }

  /** A trial whose sidecar is not running yet. Close it in the end. */
  static async prepare(options: TrialOptions): Promise<Trial> {
    const { kafka, seed = 1, topics = 3, env = {}, maxBytes, journalDir, keepJournal = false } = options
    const run = randomBytes(4).toString('hex')
    const source = new EventSource({
      seed,
      name: `e${run}`,
      services: Array.from({ length: topics }, (_, index) => `model-${index}-${run}`),
      topicOf: service => `${service}-trial`,
      ...(maxBytes === undefined ? {} : { maxBytes })
    })
    const victim = await Victim.prepare({
      env: {
        KAFKA_BROKERS: kafka.bootstrap,
        KAFKA_TOPIC: '{inferenceservicename}-trial',
        INFERENCE_LOGGER_DRAIN_IDLE: '50ms',
        ...env
      },
      deleteJournal: !keepJournal,
      ...(journalDir === undefined ? {} : { journalDir })
    })
    return new Trial(kafka, source, victim)
  }

  /** Names of the segments in the journal. */
  get segments(): string[] {
    return readdirSync(this.victim.journalDir).filter(name => name.endsWith('.journal'))
  }

  /** Compares everything that is in Kafka with everything that was issued. */
  judge(): Promise<Verdict> {
    return judge(this.kafka, this.source, this.issuer.issued)
  }

  /**
   * The end of a trial whose faults are over: lets the sidecar, which it starts if it does not run, deliver what it has
   * and some fresh events, ends it by SIGTERM, and judges.
   * @param allowGivenUp samples that may count something given up, because the trial is about that
   * @throws {AssertionError} when the promise was not kept, the counters do not add up, an event was given up, or
   *   anything is left
   */
  async conclude({
    timeoutMs = 60_000,
    env = {},
    deadLetters = false,
    allowGivenUp = deadLetters ? /events_dead_lettered_total/ : undefined
  }: ConcludeOptions = {}): Promise<Verdict> {
    const { victim, issuer } = this
    await issuer.stop()
    if (!victim.isRunning) await victim.start(env)
    await victim.drained(timeoutMs)
    const fresh = await issuer.sendOneByOne(FRESH_EVENTS)
    assert.deepEqual(new Set(fresh), new Set([200]), 'fresh events are taken')
    await victim.drained(timeoutMs)
    victim.process.signal('SIGTERM')
    assert.deepEqual(await victim.ended(), { code: 0, signal: null })
    if (deadLetters) await this.#replayDeadLetters()
    const verdict = await this.judge()
    assertPromiseKept(verdict)
    const { scrapes, violations, givenUp } = victim.scraped
    const wrong = [...violations, ...givenUp.filter(sample => allowGivenUp?.test(sample) !== true)]
    assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${scrapes} scrapes`)
    assert.deepEqual(this.segments, [], 'an orderly end with nothing pending leaves nothing to be delivered twice')
    return verdict
  }

  /** Sends what was set aside to where it should have gone, by the program's own command. */
  async #replayDeadLetters(): Promise<void> {
    const { bootstrap } = this.kafka
    const command = ['dead-letters', 'replay', '--dir', this.victim.journalDir, '--brokers', bootstrap]
    const { stdout } = await promisify(execFile)(process.execPath, [mainScript(), ...command])
    assert.match(stdout, /[1-9]\d* delivered; what was delivered is removed/)
  }

  /** Ends everything. The journal goes, unless it is to be kept. */
  async close(): Promise<void> {
    await Promise.all([this.victim.close(), this.issuer.stop()])
  }
}
