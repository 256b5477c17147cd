import type { AgentIdentity, EventType, InferenceEvent } from './request.ts'

/** Everything but the sink has KServe's value as default. */
export interface KServeAgentOptions extends Partial<AgentIdentity> {
  /** The agent's `--log-url`, http only; its path and query are kept. */
  sink: string
  /** Requests in flight at once; KServe never passes `--workers`. */
  workers?: number
  /** Capacity of the channel between the proxy's handlers and the dispatcher. */
  queueSize?: number
  maxIdleConnections?: number
  idleConnectionTimeoutMs?: number
  /**
   * Probability that a request event is overtaken by the response with its id, as the agent's goroutines allow.
   * 0 keeps the order; 1 always turns it round.
   */
  overtake?: number
  /** Seed of the draws for `overtake`. */
  seed?: number
  /** How long a request event that is to be overtaken waits at most for its response. */
  overtakeWithinMs?: number
  /** Receives the lines that the agent logs about events that were not answered with 200. */
  onLogLine?: (line: string) => void
  /** Receives every event that was sent, with the answer's status; undefined when none came. */
  onAnswer?: (event: InferenceEvent, status: number | undefined) => void
}

/** What a test hands to the agent; see `KServeAgent.log`. */
export interface LogInput {
  type: EventType
  /** Made up when absent, as the agent does when the client sent no `Ce-Id`. */
  id?: string
  body?: Buffer | string
  contentType?: string
}

/** What the agent takes down with it when it stops. */
export interface Lost {
  /** Left in the channel or with a handler that was blocked on it. */
  queued: number
  /** Waiting for a worker. */
  pending: number
  /** Sent, or being sent, without an answer so far: the sink may have such an event. */
  inFlight: number
}
