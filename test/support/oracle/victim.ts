import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../kafka/index.ts'
import { type Exit, SidecarProcess, type SpawnOptions } from '../sidecar-process.ts'
import { type Watch, watchConservation } from './conservation.ts'

export interface VictimOptions {
  /** The sidecar's settings in every life; a life may have more. */
  env: Record<string, string>
  /** An existing folder for the journal; one of its own unless said. */
  journalDir?: string
  /** Whether its own folder is deleted in the end: yes unless said. */
  deleteJournal?: boolean
}

/** One life of a victim. */
export interface Life {
  process: SidecarProcess
  /** What its metrics said, from when it was ready until it died. */
  watch: Promise<Watch | undefined>
}

/** A sidecar that is killed and started again, and keeps its port and its journal. */
export class Victim {
  readonly port: number
  readonly journalDir: string
  readonly #env: Record<string, string>
  readonly #deleteJournal: boolean
  #life: Life | undefined
  #scrapes = 0
  #violations: string[] = []
  #givenUp: string[] = []
  #lives = 0
  #running = false
  #durability = ''

  private constructor(port: number, journalDir: string, deleteJournal: boolean, env: Record<string, string>) {
    this.port = port
    this.journalDir = journalDir
    this.#deleteJournal = deleteJournal
    this.#env = env
  }

  /** A victim that is not running yet. */
  static async prepare({ env, journalDir, deleteJournal = true }: VictimOptions): Promise<Victim> {
    const [port = 0] = await freePorts(1)
    const folder = journalDir ?? mkdtempSync(join(tmpdir(), 'inference-logger-journal-'))
    return new Victim(port, folder, deleteJournal && journalDir === undefined, env)
  }

  /** Lives so far. */
  get lives(): number {
    return this.#lives
  }

  /** Scrapes of all lives that have ended: what of the conservation equation did not hold in them, and what was given up. */
  get scraped(): { scrapes: number; violations: readonly string[]; givenUp: readonly string[] } {
    return { scrapes: this.#scrapes, violations: this.#violations, givenUp: this.#givenUp }
  }

  get isRunning(): boolean {
    return this.#running
  }

  /** The process, running or ended. @throws when there was none yet */
  get process(): SidecarProcess {
    if (this.#life === undefined) throw new Error('it was not started')
    return this.#life.process
  }

  /** Starts it, and does not wait for it to be ready. */
  spawn(env: Record<string, string> = {}, options: SpawnOptions = {}): SidecarProcess {
    const settings = { INFERENCE_LOGGER_DURABILITY: 'journal', ...this.#env, ...env }
    const process = SidecarProcess.spawn(
      {
        INFERENCE_LOGGER_LISTEN: `127.0.0.1:${this.port}`,
        INFERENCE_LOGGER_JOURNAL_DIR: this.journalDir,
        ...settings
      },
      options
    )
    this.#lives++
    this.#running = true
    void process.exited.then(() => (this.#running = false))
    this.#durability = settings.INFERENCE_LOGGER_DURABILITY
    const watch = process.ready().then(
      () => watchConservation(process),
      () => undefined
    )
    this.#life = { process, watch }
    return process
  }

  /** Starts it and waits until it is ready. Rejects with its log when it ends before. */
  async start(env: Record<string, string> = {}, options: SpawnOptions = {}): Promise<SidecarProcess> {
    const process = this.spawn(env, options)
    await process.ready()
    await this.#life?.watch
    return process
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<Exit> {
    this.process.signal('SIGKILL')
    return this.ended()
  }

  /** Waits until the process has ended by itself. */
  async ended(): Promise<Exit> {
    const life = this.#life
    if (life === undefined) throw new Error('it was not started')
    const exit = await life.process.exited
    this.#running = false
    const watch = await life.watch
    await watch?.ended
    if (watch !== undefined) {
      const where = `life ${this.#lives}, durability ${this.#durability}`
      this.#scrapes += watch.scrapes
      this.#violations.push(...watch.violations.map(violation => `${where}: ${violation}`))
      this.#givenUp.push(...Array.from(watch.givenUp, ([sample, value]) => `${where}: ${sample} ${value}`))
      life.watch = Promise.resolve(undefined)
    }
    return exit
  }

  /** Waits until everything accepted is delivered. */
  async drained(timeoutMs = 60_000): Promise<void> {
    const isEmpty = (metrics: Map<string, number>): boolean => metrics.get('inference_logger_events_pending') === 0
    await this.process.waitFor('nothing is pending', isEmpty, timeoutMs)
  }

  /** Kills it, and deletes its journal unless that is to stay. */
  async close(): Promise<void> {
    if (this.#life !== undefined) await this.kill()
    if (this.#deleteJournal) await this.deleteJournal()
  }

  async deleteJournal(): Promise<void> {
    await rm(this.journalDir, { recursive: true, force: true, maxRetries: 3 })
  }
}
