import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { KafkaTools } from './tools.ts'

/** A record as Java's consumer read it; null and empty are different. `timestamp` is in milliseconds since 1970. */
export interface KafkaRecord {
  topic: string
  partition: number
  offset: number
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  /** In the record's order. */
  headers: [name: string, value: Buffer | null][]
}

/** A topic's partitions by number, and the settings that differ from the broker's. Broker ids; -1 is "no leader". */
export interface TopicDescription {
  partitions: { partition: number; leader: number; replicas: number[]; inSync: number[] }[]
  config: Record<string, string>
}

/** Kafka, or the Java client, refused a request; `code` is the simple name of the Java exception. */
export class ProbeError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

interface Answer {
  id: number
  result?: unknown
  error?: string
  message?: string
}

/** The Java side of the harness (Probe.java): one process, any number of requests at a time. */
export class Probe {
  #child: ChildProcess
  #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #lastId = 0
  #errors = ''
  #ended: Promise<void>

  constructor(tools: KafkaTools) {
    const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=ERROR']
    // Its own process group: an interrupt from the terminal ends the tests, and the probe then clears up after them.
    this.#child = spawn(tools.java, [...flags, '-cp', tools.classPath, 'Probe'], { detached: true, stdio: 'pipe' })
    const { stdin, stdout, stderr } = this.#child
    if (!stdin || !stdout || !stderr) throw new Error('the probe has no pipes')
    stdin.on('error', () => undefined)
    stderr.on('data', (text: Buffer) => (this.#errors = (this.#errors + text.toString()).slice(-4000)))
    createInterface({ input: stdout, crlfDelay: Infinity }).on('line', line => this.#settle(JSON.parse(line) as Answer))
    this.#ended = new Promise(resolve => {
      this.#child.once('error', error => {
        this.#errors += error.message
        resolve()
      })
      this.#child.once('close', () => resolve())
    })
    void this.#ended.then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the Kafka probe ended: ${this.#errors}`))
      this.#waiting.clear()
    })
  }

  /** Sends one request. Rejects with ProbeError when Kafka refused, with Error when the probe is gone. */
  async request(op: string, parameters: Record<string, unknown>): Promise<unknown> {
    const id = ++this.#lastId
    if (this.#child.exitCode !== null) throw new Error(`the Kafka probe has ended: ${this.#errors}`)
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.#child.stdin?.write(`${JSON.stringify({ id, op, ...parameters })}\n`)
    return answer
  }

  /** What the probe kills and deletes when this process is gone without having closed it; replaces what was said before. */
  async guard(processes: number[], folders: string[]): Promise<void> {
    await this.request('guard', { processes, folders })
  }

  /** Ends the probe; what it guards goes with it. */
  async close(): Promise<void> {
    this.#child.stdin?.end()
    await this.#ended
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.error !== undefined) waiting?.reject(new ProbeError(answer.error, answer.message ?? ''))
    else waiting?.resolve(answer.result)
  }
}
