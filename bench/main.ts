import { Command, InvalidArgumentError, Option } from 'commander'
import { openBenchKafka } from './kafka.ts'
import { Ledger, LoadGenerator, measure } from './measure.ts'
import { measureOutage } from './outage.ts'
import { peakRssBytes } from './process-stats.ts'
import { profileSidecar } from './profile.ts'
import { printable, summarize, type SinkFigures } from './report.ts'
import { startBareHttp, startOther, startSidecar, type Sink } from './sinks.ts'

interface Options {
  seconds: number
  rounds: number
  starts: number
  connections: number
  rate: number
  durability: 'memory' | 'journal' | 'fsync' | 'kafka'
  kafka: 'mock' | 'real'
  brokers?: string
  nodeArgs: string
  against?: string
  againstUrl?: string
  profile: boolean
  outage?: number
  json: boolean
}

// whole process, per event that reached Kafka, to bare node:http in the same run
const cpuGoals = { memory: 2.4, journal: 2.6, fsync: undefined, kafka: undefined }

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0, please')
  return value
}

const options = new Command('bench')
  .description('Measures the sidecar beside bare node:http in one run, in alternating rounds; the first is discarded.')
  .option('--seconds <n>', 'length of a round of one sink', positive, 5)
  .option('--rounds <n>', 'rounds after the warm-up', positive, 5)
  .option('--starts <n>', 'starts that the time until ready is taken from', positive, 3)
  .option('--connections <n>', "keep-alive connections; KServe's agent has 5 workers", positive, 5)
  .option(
    '--rate <n>',
    'events a second, open loop; without it each connection sends when it has its answer',
    positive,
    0
  )
  .addOption(
    new Option('--durability <d>', 'INFERENCE_LOGGER_DURABILITY of the sidecar')
      .choices(['memory', 'journal', 'fsync', 'kafka'])
      .default('memory')
  )
  .addOption(
    new Option('--kafka <kind>', "librdkafka's mock cluster or a real broker as the tests start it")
      .choices(['mock', 'real'])
      .default('mock')
  )
  .option('--brokers <list>', 'Kafka brokers of your own, host:port')
  .option('--node-args <args>', "node's arguments for the sidecar, divided by blanks", '')
  .option('--against <command>', 'another HTTP sink to measure beside them; {brokers} is replaced')
  .option('--against-url <url>', 'where that sink takes events')
  .option(
    '--outage <seconds>',
    'instead: load with Kafka away for so long or until the journal is full, SIGKILL, and the replay; --durability journal',
    positive
  )
  .option('--profile', "instead: where the sidecar's main thread spends its time under load", false)
  .option('--json', 'print every round as JSON', false)
  .parse()
  .opts<Options>()

if ((options.against === undefined) !== (options.againstUrl === undefined)) {
  console.error('--against and --against-url go together')
  process.exit(2)
}

const kafka = await openBenchKafka(options.kafka, options.brokers)
const load = new LoadGenerator()
const order = { seconds: options.seconds, connections: options.connections, rate: options.rate }
const sidecarOptions = {
  brokers: kafka.brokers,
  createTopics: kafka.createTopics,
  durability: options.durability,
  nodeArgs: options.nodeArgs.split(' ').filter(arg => arg !== '')
}
try {
  if (options.outage !== undefined) {
    console.log(await measureOutage(sidecarOptions, load, options.outage, options.connections))
  } else if (options.profile) console.log(await profileSidecar(sidecarOptions, load, order))
  else await compare()
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  load.stop()
  await kafka.stop()
}

async function compare(): Promise<void> {
  const starters: (() => Promise<Sink>)[] = [startBareHttp, () => startSidecar(sidecarOptions)]
  const { against, againstUrl } = options
  if (against !== undefined && againstUrl !== undefined) {
    starters.push(() => startOther(against, againstUrl, kafka.brokers))
  }
  const measured: { sink: Sink; figures: SinkFigures }[] = []
  const ledger = new Ledger()
  try {
    for (const starter of starters) {
      const readyMs: number[] = []
      for (let start = 1; start < options.starts; start++) {
        const sink = await starter()
        readyMs.push(sink.readyMs)
        await sink.stop()
      }
      const sink = await starter()
      measured.push({
        sink,
        figures: { name: sink.name, rounds: [], readyMs: [...readyMs, sink.readyMs], peakRssBytes: 0 }
      })
    }
    for (let round = 0; round <= options.rounds && process.exitCode === undefined; round++) {
      // whoever comes first does so only every other round
      for (const { sink, figures } of round % 2 === 0 ? measured : [...measured].reverse()) {
        const result = await measure(sink, load, ledger, order)
        for (const failure of result.failures) fail(sink, failure)
        if (round > 0) figures.rounds.push(result)
        if (!options.json) {
          const label = round === 0 ? 'warm-up ' : `round ${round}  `
          console.log(
            `${label}${sink.name.padEnd(20)} ${result.eventsPerSecond.toFixed(0).padStart(6)} events/s  ` +
              `${result.cpuUsPerEvent.toFixed(1).padStart(6)} us/event  p99 ${result.p99Ms.toFixed(2)} ms`
          )
        }
      }
    }
    if (process.exitCode !== undefined) return
    for (const { sink, figures } of measured) figures.peakRssBytes = peakRssBytes(sink.pid)
  } finally {
    for (const { sink } of measured) await sink.stop()
  }
  const all = measured.map(({ figures }) => figures)
  const floor = all[0]
  if (!floor) return
  const summaries = all.map(figures => summarize(figures, floor))
  const closed = options.rate === 0
  if (options.json) {
    console.log(JSON.stringify({ options, kafka: kafka.name, summaries, figures: all }, null, 2))
  } else {
    const loadName = closed ? `${options.connections} connections, closed loop` : `${options.rate} events/s, open loop`
    console.log(`\n${loadName}, ${options.rounds} rounds of ${options.seconds} s, Kafka: ${kafka.name}; medians`)
    console.log(printable(summaries, closed ? cpuGoals[options.durability] : undefined))
  }
}

function fail(sink: Sink, failure: string): void {
  process.exitCode = 1
  console.error(`${sink.name}: ${failure}`)
  if (sink.tail.length > 0) console.error(sink.tail.slice(-5).join('\n'))
}
