import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaTools } from './tools.ts'

/** One node of a cluster, broker and controller in one. */
export interface BrokerOptions {
  tools: KafkaTools
  /** The node's id. */
  id: number
  /** The cluster's id, 16 bytes in base64url. */
  clusterId: string
  /** Where the node keeps its files; survives stop and start. */
  folder: string
  /** The address that clients connect to. */
  host: string
  /** The controllers' ports by node id: the same through a cluster's life. */
  controllerPorts: number[]
  /** Kafka's broker settings, over the harness's own. */
  config: Record<string, string>
}

/**
 * A Kafka broker as a process of its own. The caller says when to start, stop, kill and pause it; nothing here waits for
 * the broker to be of use, only the cluster can tell.
 */
export class Broker {
  readonly #options: BrokerOptions
  /** Where the logs of its partitions are. */
  readonly dataFolder: string
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()

  constructor(options: BrokerOptions) {
    this.#options = options
    this.dataFolder = join(options.folder, 'data')
    mkdirSync(this.dataFolder, { recursive: true })
    // What `kafka-storage format` writes, without the two seconds of a JVM of its own; no bootstrap.checkpoint means
    // the newest metadata version.
    const directoryId = Buffer.alloc(16, options.id + 1).toString('base64url')
    writeFileSync(
      join(this.dataFolder, 'meta.properties'),
      `version=1\ncluster.id=${options.clusterId}\nnode.id=${options.id}\ndirectory.id=${directoryId}\n`
    )
  }

  /** The process's id, undefined while the broker is not running. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** The last lines of the broker's log: warnings and errors only. */
  get log(): string {
    try {
      return readFileSync(join(this.#options.folder, 'broker.log'), 'utf8').slice(-4000)
    } catch {
      return ''
    }
  }

  /** Starts the process, taking clients on `port`. */
  start(port: number): void {
    if (this.#child) throw new Error(`broker ${this.#options.id} is running`)
    const { folder, tools } = this.#options
    const properties = join(folder, 'server.properties')
    const settings = Object.entries(this.#settings(port)).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(properties, settings.join(''))
    const flags = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=WARN']
    const log = openSync(join(folder, 'broker.log'), 'a')
    // Its own process group: an interrupt from the terminal goes to the tests, which then stop it in their own order.
    const child = spawn(tools.java, [...flags, '-cp', tools.classPath, 'kafka.Kafka', properties], {
      detached: true,
      stdio: ['ignore', log, log]
    })
    closeSync(log)
    this.#child = child
    this.#exited = new Promise(resolve => {
      const gone = (): void => {
        this.#child = undefined
        resolve()
      }
      child.once('error', gone)
      child.once('exit', gone)
    })
  }

  /** Sends a signal; nothing happens when the broker is not running. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Kafka's own orderly shutdown, or SIGKILL when that takes longer than 15 s. */
  async stop(): Promise<void> {
    this.signal('SIGTERM')
    const impatience = setTimeout(() => this.signal('SIGKILL'), 15_000)
    await this.#exited
    clearTimeout(impatience)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#exited
  }

  #settings(port: number): Record<string, string> {
    const { id, host, controllerPorts, config } = this.#options
    return {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.voters': controllerPorts
        .map((controller, node) => `${node}@127.0.0.1:${controller}`)
        .join(','),
      listeners: `PLAINTEXT://${host}:${port},CONTROLLER://127.0.0.1:${controllerPorts[id]}`,
      'advertised.listeners': `PLAINTEXT://${host}:${port}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'PLAINTEXT',
      'log.dirs': this.dataFolder,
      'auto.create.topics.enable': 'false',
      'offsets.topic.replication.factor': '1',
      'offsets.topic.num.partitions': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'transaction.state.log.num.partitions': '1',
      'group.initial.rebalance.delay.ms': '0',
      'log.cleaner.dedupe.buffer.size': '2097152',
      // A killed broker is given up, and may come back, after 3 s instead of 9.
      'broker.heartbeat.interval.ms': '300',
      'broker.session.timeout.ms': '3000',
      ...config
    }
  }
}
