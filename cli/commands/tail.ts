import { parseConfig, type Config } from '../../sidecar/config/config.ts'
import { ConfigError } from '../../sidecar/config/errors.ts'
import { realSources } from '../config-sources.ts'
import { coloursOf, wantsColours } from '../tail/colours.ts'
import { printRecords, stopSignal } from '../tail/follow.ts'
import { Follower } from '../tail/follower.ts'
import type { Style } from '../tail/format.ts'
import { jsonLine } from '../tail/json-line.ts'
import { Notices } from '../tail/notices.ts'
import { Output } from '../tail/output.ts'
import { Printer } from '../tail/printer.ts'
import { consumerProperties } from '../tail/properties.ts'
import type { ConsumedRecord } from '../tail/record.ts'
import { parseTopics } from '../tail/topics.ts'

/** The command line's options, as commander has them. */
export interface TailOptions {
  readonly brokers?: string
  readonly topic: readonly string[]
  readonly fromBeginning?: boolean
  readonly count?: string
  readonly json?: boolean
  readonly wide?: boolean
}

/**
 * Follows topics on standard output until Ctrl-C.
 * @throws {Error} when an option or a Kafka property cannot work
 */
export async function tail(options: TailOptions): Promise<void> {
  const count = parseCount(options.count)
  const topics = parseTopics(options.topic)
  const { brokers, kafka } = kafkaConfig(options.brokers, process.env)
  const stop = stopSignal()
  const notices = new Notices(line => process.stderr.write(`inference-logger: ${line}\n`))
  const follower = await Follower.start({
    properties: consumerProperties({ brokers, user: kafka }),
    topics,
    fromBeginning: options.fromBeginning ?? false,
    notices
  })
  const showPosition = topics.names.length + topics.patterns.length * 2 > 1
  const output = new Output(process.stdout)
  try {
    await printRecords(follower, output, printerOf(options, showPosition), count, stop)
  } finally {
    await follower.close()
  }
}

function printerOf({ json, wide }: TailOptions, showPosition: boolean): (record: ConsumedRecord) => string {
  if (json) return record => `${jsonLine(record)}\n`
  const colours = coloursOf(wantsColours(process.stdout, process.env))
  const style = (): Style => ({
    colours,
    // Without a terminal there is no width to keep to, and what reads the output may look for what would be cut off.
    columns: wide ? Infinity : (process.stdout.columns ?? Infinity),
    showPosition
  })
  const printer = new Printer(style)
  return record => printer.print(record)
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return Infinity
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < 1) throw new Error(`--count ${text}: a whole number from 1 on`)
  return count
}

/**
 * Kafka's settings, by the parser of the sidecar: what is right for one is right for the other.
 * @throws {Error} that lists every mistake
 */
function kafkaConfig(brokers: string | undefined, env: NodeJS.ProcessEnv): Pick<Config, 'brokers' | 'kafka'> {
  if (brokers === undefined || brokers === '') throw new Error('where is Kafka? Give --brokers, or set KAFKA_BROKERS')
  const kafkaOnly = Object.entries(env).filter(([name]) => name.startsWith('KAFKA_CONFIG_'))
  try {
    return parseConfig('sidecar', realSources({ ...Object.fromEntries(kafkaOnly), KAFKA_BROKERS: brokers }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new Error(error.message.replace(/^KAFKA_BROKERS=/m, '--brokers '), { cause: error })
  }
}
