import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { KServeAgentOptions, LogInput, Lost } from './options.ts'
import { seededRandom } from './random.ts'
import { formatRequest, unixNanoseconds, type AgentIdentity, type InferenceEvent } from './request.ts'
import { GoTransport } from './transport.ts'

/**
 * The logger of KServe's agent as a sink sees it: a channel of 100 between the proxy's handlers and a dispatcher, one
 * goroutine per event after it (so the number of pending events has no bound), five workers with one request in flight
 * each, no client timeout, no retry, and any HTTP answer taken for success.
 */
export class KServeAgent {
  /** Answers by status code. */
  readonly sentByStatus = new Map<number, number>()
  /** Milliseconds from a worker's taking the event to the answer, one per answer. */
  readonly replyMs: number[] = []
  /** Events that got no answer: connection refused, reset, ended. They are gone. */
  errors = 0
  /** The most events that waited for a worker at one time; each pins its body in the agent's memory. */
  pendingPeak = 0
  #sink: URL
  #identity: AgentIdentity
  #options: Required<Pick<KServeAgentOptions, 'queueSize' | 'overtake' | 'overtakeWithinMs' | 'onLogLine' | 'onAnswer'>>
  #transport: GoTransport
  #random: () => number
  #channel: InferenceEvent[] = []
  #blocked: { event: InferenceEvent; resume: () => void }[] = []
  #dispatching = false
  #pending: InferenceEvent[] = []
  #overtaken = new Map<string, { event: InferenceEvent; timer: NodeJS.Timeout }>()
  #idleWorkers: number
  #inFlight = 0
  #settled: (() => void)[] = []
  #stopped = false
  #lost: Lost = { queued: 0, pending: 0, inFlight: 0 }
  #logged: () => void = () => {}

  constructor(options: KServeAgentOptions) {
    this.#sink = new URL(options.sink)
    this.#identity = {
      inferenceService: options.inferenceService ?? 'sklearn-iris',
      namespace: options.namespace ?? 'default',
      component: options.component ?? 'predictor',
      source: options.source ?? 'http://localhost:9081/',
      metadata: options.metadata === undefined ? {} : options.metadata,
      annotations: options.annotations ?? {},
      recordedTime: options.recordedTime ?? true
    }
    this.#options = {
      queueSize: options.queueSize ?? 100,
      overtake: options.overtake ?? 0,
      overtakeWithinMs: options.overtakeWithinMs ?? 50,
      onLogLine: options.onLogLine ?? (() => {}),
      onAnswer: options.onAnswer ?? (() => {})
    }
    this.#transport = new GoTransport({
      host: this.#sink.hostname.replace(/^\[|\]$/g, ''),
      port: Number(this.#sink.port || 80),
      maxIdle: options.maxIdleConnections ?? 2,
      idleTimeoutMs: options.idleConnectionTimeoutMs ?? 90_000
    })
    this.#random = seededRandom(options.seed ?? 1)
    this.#idleWorkers = options.workers ?? 5
  }

  /** Events that wait for a worker now. */
  get pending(): number {
    return this.#pending.length + this.#overtaken.size
  }

  /** Answers of any status. */
  get sent(): number {
    return [...this.sentByStatus.values()].reduce((sum, count) => sum + count, 0)
  }

  get connectionsOpened(): number {
    return this.#transport.connectionsOpened
  }

  get idleConnections(): number {
    return this.#transport.idleConnections
  }

  /** Requests repeated on another connection because nothing of them had been written. */
  get retries(): number {
    return this.#transport.retries
  }

  /** What the stop took along; all zero before it. */
  get lost(): Readonly<Lost> {
    return this.#lost
  }

  /**
   * Queues an event as the handler of a proxied call does.
   *
   * @returns the event's id, once the event is in the channel: while 100 are in it, the caller waits (and with it the
   *   inference call)
   */
  async log(input: LogInput): Promise<string> {
    const event: InferenceEvent = {
      type: input.type,
      id: input.id ?? randomUUID(),
      body: Buffer.from(input.body ?? ''),
      occurredAt: unixNanoseconds(),
      ...(input.contentType === undefined ? {} : { contentType: input.contentType })
    }
    this.#logged()
    if (this.#stopped) this.#lost.queued++
    else if (this.#channel.length < this.#options.queueSize) this.#channel.push(event)
    else await new Promise<void>(resume => this.#blocked.push({ event, resume }))
    this.#dispatchSoon()
    return event.id
  }

  /** Logs a request and its response, which share an id; resolves when both are in the channel. */
  async logInference(
    request: Omit<LogInput, 'type' | 'id'>,
    response: Omit<LogInput, 'type' | 'id'>,
    id: string = randomUUID()
  ): Promise<string> {
    await this.log({ ...request, type: 'request', id })
    return this.log({ ...response, type: 'response', id })
  }

  /** Resolves when no event is queued, pending or in flight, however long the sink takes. */
  settled(): Promise<void> {
    return new Promise(resolve => {
      this.#settled.push(resolve)
      this.#checkSettled()
    })
  }

  /**
   * What SIGTERM does: the agent keeps working until nothing was logged for the quiet period, then it exits, whatever
   * is still queued, pending or in flight.
   *
   * @param quietMs the quiet period in milliseconds
   */
  async drain(quietMs = 30_000): Promise<Lost> {
    await new Promise<void>(resolve => {
      let timer = setTimeout(resolve, quietMs)
      this.#logged = () => {
        clearTimeout(timer)
        timer = setTimeout(resolve, quietMs)
      }
    })
    this.close()
    return this.#lost
  }

  /** Ends at once, as SIGKILL does. */
  close(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#logged = () => {}
    this.#lost = {
      queued: this.#channel.length + this.#blocked.length,
      pending: this.pending,
      inFlight: this.#inFlight
    }
    for (const { timer } of this.#overtaken.values()) clearTimeout(timer)
    this.#overtaken.clear()
    this.#channel = []
    this.#pending = []
    for (const { resume } of this.#blocked.splice(0)) resume()
    this.#transport.close()
    this.#checkSettled()
  }

  /** The dispatcher is a goroutine of its own: what one turn logs is in the channel together. */
  #dispatchSoon(): void {
    if (this.#dispatching || this.#stopped) return
    this.#dispatching = true
    setImmediate(() => {
      this.#dispatching = false
      for (let event = this.#channel.shift(); event; event = this.#channel.shift()) {
        const unblocked = this.#blocked.shift()
        if (unblocked) {
          this.#channel.push(unblocked.event)
          unblocked.resume()
        }
        this.#spawn(event)
      }
      this.#work()
      this.#checkSettled()
    })
  }

  #spawn(event: InferenceEvent): void {
    if (event.type === 'request' && this.#random() < this.#options.overtake && !this.#overtaken.has(event.id)) {
      const timer = setTimeout(() => this.#letGo(event.id), this.#options.overtakeWithinMs)
      this.#overtaken.set(event.id, { event, timer })
    } else {
      this.#pending.push(event)
    }
    this.pendingPeak = Math.max(this.pendingPeak, this.pending)
  }

  #letGo(id: string): void {
    const overtaken = this.#overtaken.get(id)
    if (!overtaken) return
    clearTimeout(overtaken.timer)
    this.#overtaken.delete(id)
    this.#pending.push(overtaken.event)
    this.#work()
  }

  #work(): void {
    while (this.#idleWorkers > 0 && !this.#stopped) {
      const event = this.#pending.shift()
      if (!event) return
      this.#idleWorkers--
      void this.#send(event)
    }
  }

  async #send(event: InferenceEvent): Promise<void> {
    const started = performance.now()
    this.#inFlight++
    try {
      const { status, text } = await this.#transport.roundTrip(formatRequest(this.#sink, event, this.#identity))
      this.replyMs.push(performance.now() - started)
      this.sentByStatus.set(status, (this.sentByStatus.get(status) ?? 0) + 1)
      this.#options.onAnswer(event, status)
      if (status !== 200) this.#options.onLogLine(`Sent with status code ${status}, error: ${text}`)
    } catch (error) {
      // what a stop cuts off is counted as lost
      if (this.#stopped) return
      this.errors++
      this.#options.onAnswer(event, undefined)
      this.#options.onLogLine(
        `Failed to send cloud event, url: ${this.#sink.href}: while sending event: ${(error as Error).message}`
      )
    } finally {
      this.#inFlight--
      this.#idleWorkers++
    }
    if (event.type === 'response') this.#letGo(event.id)
    this.#work()
    this.#checkSettled()
  }

  #checkSettled(): void {
    const busy = this.#channel.length + this.#blocked.length + this.pending + this.#inFlight
    if (busy > 0 && !this.#stopped) return
    for (const resolve of this.#settled.splice(0)) resolve()
  }
}
