import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, NotSentError } from './connection.ts'
import type { EventSource, OracleRequest } from './events.ts'
import { Issued } from './issued.ts'

/** How events are sent. */
export interface Load {
  connections: number
  /** Closed loop: each connection's pause between an answer and its next request, in ms; 0 unless said. */
  paceMs?: number
  /** Open loop instead: requests a second, whether answers come or not, on at most `connections` connections. */
  rate?: number
}

const RECONNECT_MS = 10
const TICK_MS = 5

/**
 * Sends a source's events to a port where a sidecar listens, dies and comes back, and keeps account of the answers. An
 * event that went out is never sent a second time, so what arrives twice was doubled by the sidecar; one for which no
 * connection came about is tried until it goes out.
 */
export class Issuer {
  readonly issued = new Issued()
  readonly #source: EventSource
  readonly #port: number
  readonly #timeoutMs: number
  #next = 0
  #load: Load | undefined
  #running: Promise<unknown> = Promise.resolve()

  /** @param timeoutMs how long an answer may take */
  constructor(source: EventSource, port: number, timeoutMs = 15_000) {
    this.#source = source
    this.#port = port
    this.#timeoutMs = timeoutMs
  }

  /** Begins to send, until {@link stop}. */
  start(load: Load): void {
    if (this.#load !== undefined) throw new Error('it is running')
    this.#load = load
    const going = (): boolean => this.#load === load
    this.#running =
      load.rate === undefined
        ? Promise.all(Array.from({ length: load.connections }, () => this.#closedLoop(load.paceMs ?? 0, going)))
        : this.#openLoop(load.connections, load.rate, going)
  }

  /** Ends sending; resolves when the last answer has come, or its connection is gone. */
  async stop(): Promise<void> {
    this.#load = undefined
    await this.#running
  }

  /** Sends this many requests, one after the other on one connection, and returns their statuses; undefined: no answer. */
  async sendOneByOne(count: number): Promise<(number | undefined)[]> {
    const connection = new Connection(this.#port, this.#timeoutMs)
    const statuses: (number | undefined)[] = []
    try {
      for (let sent = 0; sent < count; sent++) {
        statuses.push(await this.#send(connection, this.#nextRequest(), () => false).catch(() => undefined))
      }
    } finally {
      connection.close()
    }
    return statuses
  }

  #nextRequest(): OracleRequest {
    const request = this.#source.request(this.#next)
    this.#next += request.count
    return request
  }

  async #closedLoop(paceMs: number, going: () => boolean): Promise<void> {
    const connection = new Connection(this.#port, this.#timeoutMs)
    while (going()) {
      await this.#send(connection, this.#nextRequest(), going).catch(() => undefined)
      if (paceMs > 0) await sleep(paceMs)
    }
    connection.close()
  }

  async #openLoop(connections: number, rate: number, going: () => boolean): Promise<void> {
    const free = Array.from({ length: connections }, () => new Connection(this.#port, this.#timeoutMs))
    const pending = new Set<Promise<unknown>>()
    let due = 0
    let last = performance.now()
    while (going()) {
      await sleep(TICK_MS)
      const now = performance.now()
      due = Math.min(due + ((now - last) / 1000) * rate, rate)
      last = now
      for (; due >= 1; due--) {
        const connection = free.pop()
        if (connection === undefined) break
        const sending = this.#send(connection, this.#nextRequest(), going)
          .catch(() => undefined)
          .finally(() => {
            free.push(connection)
            pending.delete(sending)
          })
        pending.add(sending)
      }
    }
    await Promise.all(pending)
    for (const connection of free) connection.close()
  }

  /** @param again whether to go on trying while no connection comes about */
  async #send(connection: Connection, { first, count, bytes }: OracleRequest, again: () => boolean): Promise<number> {
    for (;;) {
      this.issued.sending(first, count)
      try {
        const status = await connection.send(bytes)
        this.issued.answered(first, count, status)
        return status
      } catch (error) {
        if (!(error instanceof NotSentError)) throw error
        this.issued.notSent(first, count)
        if (!again()) throw error
        await sleep(RECONNECT_MS)
      }
    }
  }
}
