import { setTimeout as sleep } from 'node:timers/promises'
import { destination } from 'pino'
import { parseConfig } from '../../sidecar/config/config.ts'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { Sidecar } from '../../sidecar/sidecar.ts'
import { realSources } from '../config-sources.ts'
import type { Colours } from '../tail/colours.ts'
import { printRecords } from '../tail/follow.ts'
import { Follower } from '../tail/follower.ts'
import { Notices } from '../tail/notices.ts'
import type { Output } from '../tail/output.ts'
import { Printer } from '../tail/printer.ts'
import { consumerProperties } from '../tail/properties.ts'
import { parseTopics } from '../tail/topics.ts'
import { Arrivals } from './arrivals.ts'
import { loadCaptured, type CapturedRequest } from './captured.ts'
import { MockKafka } from './mock-kafka.ts'
import { replay } from './replay.ts'
import { scrape, type Samples } from './scrape.ts'
import * as story from './story.ts'

/** How the demo is run. */
export interface DemoOptions {
  readonly output: Output
  readonly colours: Colours
  /** Width of the output, in columns; asked for each record. */
  readonly columns: () => number
  /** Go on after the check, and print what arrives. */
  readonly keep: boolean
  /** Ends the demo. */
  readonly stop: AbortSignal
  /** The sidecar's settings, over those of the demo. */
  readonly env?: Readonly<Record<string, string>>
  /** ms that the events may take to arrive in Kafka. */
  readonly patienceMs?: number
}

/** The demo's example of a captured request. */
const EXAMPLE = 'kserve-v0.20__v1-json-metadata__request'

/** The sidecar's settings: ports that are free, and an end that waits for nobody. The mock cluster cannot create topics. */
const SETTINGS = {
  INFERENCE_LOGGER_LISTEN: '127.0.0.1:0',
  INFERENCE_LOGGER_OPS_LISTEN: '127.0.0.1:0',
  INFERENCE_LOGGER_CREATE_TOPICS: 'false',
  INFERENCE_LOGGER_DURABILITY: 'memory',
  INFERENCE_LOGGER_DRAIN_IDLE: '0ms',
  INFERENCE_LOGGER_GRACE_PERIOD: '1s',
  INFERENCE_LOGGER_LOG_LEVEL: 'warn'
}

/**
 * Shows the whole path on this machine: captured requests of KServe, the sidecar, Kafka, a consumer.
 * @returns whether every event arrived as it was sent
 * @throws {Error} when something could not be started, or the sidecar does not answer
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const captured = loadCaptured()
  const kafka = await MockKafka.start()
  try {
    const env = { ...SETTINGS, KAFKA_BROKERS: kafka.brokers, ...options.env }
    const config = parseConfig('sidecar', realSources(env))
    // Standard output is the story's.
    const logger = createLogger(config.logLevel, 'demo', destination({ dest: 2, sync: true }))
    const sidecar = await Sidecar.start(config, logger)
    try {
      const follower = await follow(kafka.brokers)
      try {
        return await new Demo(options, captured, kafka, sidecar, follower).tell()
      } finally {
        await follower.close()
      }
    } finally {
      await sidecar.stop()
    }
  } finally {
    await kafka.stop()
  }
}

/** Topics of the sidecar's default template. */
const TOPICS = '^.*-inference-topic$'

function follow(brokers: string): Promise<Follower> {
  return Follower.start({
    // The mock cluster looks for records when a fetch's wait is over, not when they come.
    properties: consumerProperties({ brokers, user: { global: { 'fetch.wait.max.ms': 50 }, topic: {} } }),
    topics: parseTopics([TOPICS]),
    fromBeginning: true,
    notices: new Notices(() => {}),
    lookAgainMs: 50
  })
}

class Demo {
  readonly #options: DemoOptions
  readonly #captured: readonly CapturedRequest[]
  readonly #kafka: MockKafka
  readonly #sidecar: Sidecar
  readonly #follower: Follower
  readonly #printer: Printer
  readonly #events: string
  readonly #metrics: string

  constructor(
    options: DemoOptions,
    captured: readonly CapturedRequest[],
    kafka: MockKafka,
    sidecar: Sidecar,
    follower: Follower
  ) {
    this.#options = options
    this.#captured = captured
    this.#kafka = kafka
    this.#sidecar = sidecar
    this.#follower = follower
    this.#printer = new Printer(() => ({
      colours: options.colours,
      columns: options.columns() - 3,
      showPosition: false
    }))
    this.#events = sidecar.listen[0] ?? ''
    this.#metrics = `http://${sidecar.opsAddress}/metrics`
  }

  async tell(): Promise<boolean> {
    const { colours, patienceMs = 5000 } = this.#options
    await this.#introduce()
    const before = await scrape(this.#metrics)

    await this.#section(2, 'Requests as KServe’s logger agent sends them', [
      `${this.#captured.length} captured requests of KServe ${story.versionsOf(this.#captured)}, replayed byte for byte. One of them:`,
      '',
      ...this.#example(),
      ''
    ])
    const answers = await replay(
      this.#events,
      this.#captured.map(({ raw }) => raw)
    )
    await this.#lines([story.answersText(answers, colours)])

    await this.#section(3, 'What arrives in Kafka, as inference-logger tail shows it', [])
    const arrivals = await this.#watch(patienceMs)

    const after = await this.#settled(before)
    await this.#section(4, 'Metrics that moved', [
      ...story.movedMetrics(before, after, colours),
      colours.dim('received = delivered + pending + dead-lettered + dropped, at every scrape')
    ])

    const findings = {
      sent: this.#captured.length,
      refused: answers.filter(({ status }) => status !== 200).length,
      missing: arrivals.missing,
      altered: arrivals.altered,
      waitedMs: patienceMs,
      lastError: lastErrorOf(this.#sidecar)
    }
    await this.#section(5, 'Check', story.verdict(findings, colours))
    await this.#invite()
    return story.isGood(findings)
  }

  #introduce(): Promise<void> {
    const { cyan } = this.#options.colours
    return this.#section(1, 'Kafka and the sidecar, on this machine', [
      `Kafka    ${cyan(this.#kafka.brokers)} (built into librdkafka, in memory)`,
      `sidecar  ${cyan(`http://${this.#events}`)} takes events; ${cyan(this.#metrics)}`
    ])
  }

  #example(): string[] {
    const example = this.#captured.find(({ name }) => name === EXAMPLE) ?? this.#captured[0]
    return example === undefined ? [] : story.excerpt(example, this.#options.colours)
  }

  /** Prints records until all events have arrived, or time is up. */
  async #watch(patienceMs: number): Promise<Arrivals> {
    const arrivals = new Arrivals(this.#captured)
    const deadline = performance.now() + patienceMs
    while (arrivals.missing.length > 0 && performance.now() < deadline && !this.#options.stop.aborted) {
      for (const record of await this.#follower.next()) {
        arrivals.add(record)
        await this.#text(this.#printer.print(record))
      }
    }
    return arrivals
  }

  /** Scrapes until Kafka's acknowledgements are counted: a consumer may have a record before its producer knows. */
  async #settled(before: Samples): Promise<Samples> {
    const pending = 'inference_logger_events_pending'
    for (let attempt = 0; ; attempt++) {
      const samples = await scrape(this.#metrics)
      if (samples.get(pending) === before.get(pending) || attempt === 20) return samples
      await sleep(25)
    }
  }

  async #invite(): Promise<void> {
    const { keep, stop, output, colours } = this.#options
    if (!keep) {
      return this.#section(6, 'Your turn', [
        `${colours.bold('npm run demo -- --keep')} stays running, takes events of your own, and shows them.`
      ])
    }
    await this.#section(6, 'Your turn: paste this into another terminal (Ctrl-C here ends the demo)', [])
    await output.write(
      `\n${story.curlCommand(this.#events, this.#captured[0]?.inferenceService ?? 'my-model').join('\n')}\n\n`
    )
    await this.#lines([
      'The same records for a program:',
      `npx inference-logger tail --brokers ${this.#kafka.brokers} --topic '${TOPICS}' --from-beginning --json`,
      ''
    ])
    await printRecords(this.#follower, output, record => indent(this.#printer.print(record)), Infinity, stop)
  }

  async #section(number: number, title: string, lines: readonly string[]): Promise<void> {
    await this.#options.output.write(story.heading(number, title, this.#options.colours))
    await this.#lines(lines)
  }

  #lines(lines: readonly string[]): Promise<void> {
    return this.#options.output.write(story.indented(lines))
  }

  #text(text: string): Promise<void> {
    return this.#options.output.write(indent(text))
  }
}

function indent(text: string): string {
  return story.indented(text.replace(/\n$/, '').split('\n'))
}

function lastErrorOf(sidecar: Sidecar): string | undefined {
  const { lastError } = sidecar.status() as { lastError: { message: string } | null }
  return lastError?.message
}
