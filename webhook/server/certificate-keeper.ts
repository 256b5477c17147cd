import { join } from 'node:path'
import type { Logger } from 'pino'
import { watchFiles, type WatchOptions } from '../files/watch.ts'
import {
  CERTIFICATE_FILE,
  CertificateError,
  KEY_FILE,
  readCertificate,
  type ServingCertificate
} from './certificates.ts'

/** Longest wait for a date: clocks are set, and a timer ends after 24 days. */
const LOOK_MS = 60_000

/** What a keeper needs. */
export interface CertificateKeeperOptions {
  /** With `tls.crt` and `tls.key`. */
  readonly folder: string
  /** Puts it into service. @throws {Error} when OpenSSL does not take it */
  readonly apply: (certificate: ServingCertificate) => void
  /** The files changed: what they say is in service, or is not. */
  readonly onReload: (result: 'success' | 'failure') => void
  /** There is something new to say about {@link CertificateKeeper.problem}. */
  readonly onChange: (problem: string | undefined) => void
  readonly logger: Logger
  /** ms since 1970 */
  readonly now?: () => number
  readonly watch?: WatchOptions
}

/**
 * Keeps the best certificate in service that was in the files: a new pair replaces the old one unless it does not work,
 * or does not yet, or not any more, while the old one does.
 */
export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions
  readonly #now: () => number
  readonly #unwatch: () => void
  #current: ServingCertificate | undefined
  /** In the files, and not valid yet, while the one in service is. */
  #next: ServingCertificate | undefined
  #missing = ''
  #told: string | undefined
  #timer: NodeJS.Timeout | undefined

  /** Begins with what is there; a folder without a certificate is only watched. */
  constructor(options: CertificateKeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    const paths = [CERTIFICATE_FILE, KEY_FILE].map(name => join(options.folder, name))
    // Begun before the first reading: a change in between is a reload.
    this.#unwatch = watchFiles(paths, () => this.#reload(), options.watch)
    try {
      this.#take(readCertificate(options.folder))
    } catch (error) {
      this.#missing = reasonOf(error)
    }
    this.#look()
  }

  /** Why clients cannot trust this server, in a sentence; undefined when nothing is known against it. */
  get problem(): string | undefined {
    if (this.#current === undefined) return `there is no certificate: ${this.#missing}`
    const { notBefore, notAfter } = this.#current
    const now = this.#now()
    if (now >= notAfter) return `the certificate expired on ${dateOf(notAfter)}`
    if (now < notBefore) return `the certificate is not valid before ${dateOf(notBefore)}`
    return undefined
  }

  /** Whether there is a certificate at all, however old. */
  get inService(): boolean {
    return this.#current !== undefined
  }

  /** Ends watching; what is in service stays. */
  stop(): void {
    this.#unwatch()
    clearTimeout(this.#timer)
  }

  #reload(): void {
    const { folder, logger, onReload } = this.#options
    this.#next = undefined
    try {
      const fresh = readCertificate(folder)
      const refusal = this.#reasonToKeep(fresh)
      if (refusal !== undefined) throw new CertificateError(refusal)
      this.#take(fresh)
      onReload('success')
    } catch (error) {
      const reason = reasonOf(error)
      if (this.#current === undefined) this.#missing = reason
      else logger.error({ reason }, `the new certificate is not used, the old one stays: ${reason}`)
      onReload('failure')
    }
    this.#look()
  }

  /** Why the one in service is better. */
  #reasonToKeep(fresh: ServingCertificate): string | undefined {
    if (this.problem !== undefined) return undefined
    const now = this.#now()
    if (now >= fresh.notAfter) return `it expired on ${dateOf(fresh.notAfter)}`
    if (now >= fresh.notBefore) return undefined
    this.#next = fresh
    return `it is not valid before ${dateOf(fresh.notBefore)}, and will be used then`
  }

  #take(certificate: ServingCertificate): void {
    const { apply, logger } = this.#options
    apply(certificate)
    this.#current = certificate
    const { names, notBefore, notAfter, remarks } = certificate
    logger.info({ names, notBefore: dateOf(notBefore), notAfter: dateOf(notAfter) }, 'certificate in service')
    for (const remark of remarks) logger.warn(remark)
  }

  /** Sees what the time has changed, tells it, and looks again at the next date. */
  #look(): void {
    const now = this.#now()
    if (this.#next !== undefined && now >= this.#next.notBefore) return this.#reload()
    const { problem } = this
    if (problem !== this.#told) {
      this.#told = problem
      if (problem !== undefined) {
        this.#options.logger.error(
          `${problem}: the API server cannot use this webhook until ${CERTIFICATE_FILE} and ${KEY_FILE} are renewed`
        )
      }
      this.#options.onChange(problem)
    }
    clearTimeout(this.#timer)
    const dates = [this.#current?.notBefore, this.#current?.notAfter, this.#next?.notBefore]
    const ahead = dates.filter(date => date !== undefined && date > now).map(date => Number(date) - now)
    this.#timer = setTimeout(() => this.#look(), Math.min(LOOK_MS, ...ahead)).unref()
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CertificateError) return error.message
  // OpenSSL has an opinion on keys of every kind; none may end the process.
  const { code, name } = error as NodeJS.ErrnoException
  return `it cannot be used (${code ?? name})`
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString()
}
