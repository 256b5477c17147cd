import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from './broker.ts'
import { Kafka } from './kafka.ts'
import { freePorts } from './ports.ts'
import { Probe } from './probe.ts'
import { kafkaTools } from './tools.ts'

/**
 * One broker, or three that are also a quorum of three; `host` is the address where clients find them, 127.0.0.1 unless
 * said; `config` holds Kafka's broker settings.
 */
export interface ClusterOptions {
  brokers?: 1 | 3
  host?: string
  config?: Record<string, string>
}

const startTimeoutMs = 60_000

/**
 * A real Kafka of the tests' own, in KRaft mode on this machine, that can be broken in every way. Brokers are named by their
 * node id, which counts from 0. Nothing of it outlives the process, also when that is killed: the probe sees to it.
 */
export class KafkaCluster extends Kafka {
  readonly #folder: string
  readonly #brokers: Broker[]
  readonly #host: string
  readonly #ports: number[]
  readonly #killAtExit: () => void

  private constructor(probe: Probe, folder: string, brokers: Broker[], host: string, ports: number[]) {
    super(probe, addresses(host, ports))
    this.#folder = folder
    this.#brokers = brokers
    this.#host = host
    this.#ports = ports
    this.#killAtExit = () => {
      for (const broker of brokers) broker.signal('SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
    process.once('exit', this.#killAtExit)
  }

  /** A running cluster whose brokers have all joined: takes about 4 s with one broker, 9 s with three. */
  static async start(options: ClusterOptions = {}): Promise<KafkaCluster> {
    const cluster = await KafkaCluster.prepare(options)
    try {
      await cluster.startAll()
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  /** A cluster that has its addresses and runs nothing yet: for what is started before Kafka. */
  static async prepare(options: ClusterOptions = {}): Promise<KafkaCluster> {
    const { brokers: count = 1, host = '127.0.0.1', config = {} } = options
    const tools = await kafkaTools()
    const folder = await mkdtemp(join(tmpdir(), 'inference-logger-kafka-'))
    const probe = new Probe(tools)
    await probe.guard([], [folder])
    const [ports, controllerPorts] = [await freePorts(count), await freePorts(count)]
    const clusterId = randomBytes(16).toString('base64url')
    const brokers = ports.map(
      (_port, id) =>
        new Broker({ tools, id, clusterId, folder: join(folder, String(id)), host, controllerPorts, config })
    )
    return new KafkaCluster(probe, folder, brokers, host, ports)
  }

  /** Starts every broker that is not running and waits until all have joined. */
  async startAll(): Promise<void> {
    await this.#start(this.#brokers.flatMap((broker, id) => (broker.running ? [] : [id])))
  }

  /** Starts one broker with the data it had, on another port if `port` says so, and waits until it has joined. */
  async startBroker(id: number, { port }: { port?: number } = {}): Promise<void> {
    if (port !== undefined) {
      this.#broker(id)
      this.#ports[id] = port
      this.setBootstrap(addresses(this.#host, this.#ports))
    }
    await this.#start([id])
  }

  /** Orderly shutdown of one broker: leaders move first where there are others. */
  async stopBroker(id: number): Promise<void> {
    await this.#broker(id).stop()
    await this.#guard()
  }

  /** SIGKILL, as by a crash. */
  async kill(id: number): Promise<void> {
    await this.#broker(id).kill()
    await this.#guard()
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  pause(id: number): void {
    this.#broker(id).signal('SIGSTOP')
  }

  /** Ends a pause. */
  resume(id: number): void {
    this.#broker(id).signal('SIGCONT')
  }

  /** What must not outlive the process: the running brokers' process ids and the folder of all data. */
  get owned(): { processes: number[]; folder: string } {
    return { processes: this.#brokers.flatMap(({ pid }) => pid ?? []), folder: this.#folder }
  }

  /**
   * Whether broker `id` has a partition's log. A topic that is deleted, and that nobody can see any more, is written to
   * all the same until its logs are gone, which takes a busy broker some time.
   */
  hasLog(id: number, topic: string, partition: number): boolean {
    return existsSync(join(this.#broker(id).dataFolder, `${topic}-${partition}`))
  }

  /** What broker `id` last logged, warnings and errors only. */
  brokerLog(id: number): string {
    return this.#broker(id).log
  }

  /** Kills all brokers and deletes their data. */
  override async close(): Promise<void> {
    await Promise.all(this.#brokers.map(broker => broker.kill()))
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 })
    await this.probe.guard([], [])
    await this.probe.close()
    process.off('exit', this.#killAtExit)
  }

  async #start(ids: number[]): Promise<void> {
    for (const id of ids) this.#broker(id).start(this.#port(id))
    await this.#guard()
    const deadline = performance.now() + startTimeoutMs
    await Promise.all(ids.map(id => this.#joined(id, deadline)))
  }

  async #joined(id: number, deadline: number): Promise<void> {
    const broker = this.#broker(id)
    const running = this.#brokers.flatMap(({ running }, other) => (running ? [other] : []))
    let known: number[] = []
    while (!running.every(other => known.includes(other))) {
      if (!broker.running) throw new Error(`broker ${id} ended while starting:\n${broker.log}`)
      if (performance.now() > deadline) {
        throw new Error(`broker ${id} not up after ${startTimeoutMs} ms, knows of ${known.join()}:\n${broker.log}`)
      }
      await new Promise(resolve => setTimeout(resolve, 50))
      known = await this.brokerIds(addresses(this.#host, [this.#port(id)])).catch(() => [])
    }
  }

  async #guard(): Promise<void> {
    const { processes, folder } = this.owned
    await this.probe.guard(processes, [folder])
  }

  #broker(id: number): Broker {
    const broker = this.#brokers[id]
    if (!broker) throw new RangeError(`there is no broker ${id}`)
    return broker
  }

  #port(id: number): number {
    const port = this.#ports[id]
    if (port === undefined) throw new RangeError(`there is no broker ${id}`)
    return port
  }
}

function addresses(host: string, ports: number[]): string {
  return ports.map(port => `${host}:${port}`).join(',')
}
