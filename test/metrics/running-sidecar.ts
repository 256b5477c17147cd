import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createLogger } from '../../sidecar/logging/logger.ts'
import { Sidecar } from '../../sidecar/sidecar.ts'
import { parse, type Env } from '../config/environment.ts'

/** An answer of the operations port. */
export interface OpsResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** The whole sidecar in this process, on ports of its own. */
export class RunningSidecar {
  readonly sidecar: Sidecar
  readonly url: string
  readonly ops: string
  /** Everything logged, at level trace. */
  readonly log: readonly string[]

  private constructor(sidecar: Sidecar, log: readonly string[]) {
    this.sidecar = sidecar
    this.url = `http://${sidecar.listen[0]}`
    this.ops = `http://${sidecar.opsAddress}`
    this.log = log
  }

  /** Starts one that is stopped when the test ends. It has a journal of its own unless the environment says otherwise. */
  static async start(t: TestContext, env: Env): Promise<RunningSidecar> {
    const log: string[] = []
    const config = parse({
      INFERENCE_LOGGER_JOURNAL_DIR: env['INFERENCE_LOGGER_JOURNAL_DIR'] ?? temporaryFolder(t),
      KAFKA_TOPIC: 'events',
      INFERENCE_LOGGER_LISTEN: '127.0.0.1:0',
      INFERENCE_LOGGER_OPS_LISTEN: '127.0.0.1:0',
      INFERENCE_LOGGER_CREATE_TOPICS: 'false',
      INFERENCE_LOGGER_DRAIN_IDLE: '0s',
      INFERENCE_LOGGER_GRACE_PERIOD: '100ms',
      INFERENCE_LOGGER_LOG_LEVEL: 'trace',
      ...env
    })
    const logger = createLogger('trace', 'sidecar', { write: line => void log.push(line) })
    const sidecar = await Sidecar.start(config, logger)
    t.after(() => sidecar.stop())
    return new RunningSidecar(sidecar, log)
  }

  async get(path: string, method = 'GET'): Promise<OpsResponse> {
    const response = await fetch(this.ops + path, { method })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }

  async scrape(): Promise<string> {
    return (await this.get('/metrics')).body
  }

  async status(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.get('/status')).body) as Record<string, unknown>
  }
}

/** A folder that is gone after the test. What was started in it later has ended by then. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'inference-logger-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A port on which nobody listens. */
export const NOBODY = '127.0.0.1:1'
