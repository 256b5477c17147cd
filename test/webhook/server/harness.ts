import type { TestContext } from 'node:test'
import type { ReviewPod } from '../../../webhook/review.ts'
import { createEndpoint, type Decision, type EndpointObserver } from '../../../webhook/server/endpoint.ts'
import { AdmissionServer, type ServerLimits } from '../../../webhook/server/server.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'
import { CertificateAuthority } from '../../support/certificates.ts'
import { AdmissionClient } from './client.ts'

export const authority = await CertificateAuthority.create()
const pair = await authority.server()

/** What the endpoint told, in order. */
export class RecordingObserver implements EndpointObserver {
  readonly decisions: Decision[] = []
  readonly told: string[] = []
  readonly failures: unknown[] = []
  inFlight = 0

  began(): void {
    this.inFlight++
  }

  ended(): void {
    this.inFlight--
  }

  decided(decision: Decision): void {
    this.decisions.push(decision)
    this.told.push(decision.report.result)
  }

  untouched(_subject: unknown, operation: string): void {
    this.told.push(`untouched ${operation}`)
  }

  refused(status: number): void {
    this.told.push(`refused ${status}`)
  }

  failed(error: unknown): void {
    this.failures.push(error)
    this.told.push('failed')
  }
}

/** Injects an annotation into whatever it is given. */
export const annotating: ReviewPod = () => ({
  report: { result: 'inject', reasons: [{ code: 'loopback_sink', message: 'a loopback URL' }], warnings: [] },
  patch: [{ op: 'add', path: '/metadata/annotations', value: { seen: 'true' } }]
})

/** How a test's server differs. */
export interface ServingOptions {
  readonly reviewPod?: ReviewPod
  readonly limits?: Partial<ServerLimits>
  readonly bodyTimeoutMs?: number
  readonly maxArrivingBytes?: number
}

/** The server and the endpoint, without settings and core: on a port of its own, stopped when the test ends. */
export class Serving {
  readonly server: AdmissionServer
  readonly observer = new RecordingObserver()
  readonly tlsErrors: string[] = []
  dropped = 0
  closing = false
  address = ''

  private constructor(options: ServingOptions) {
    const { reviewPod = annotating, limits, bodyTimeoutMs, maxArrivingBytes } = options
    this.server = new AdmissionServer({
      listen: { host: '127.0.0.1', port: 0 },
      handler: createEndpoint({
        reviewPod,
        settings: () => ({}) as Settings,
        observer: this.observer,
        closing: () => this.closing,
        ...(bodyTimeoutMs === undefined ? {} : { bodyTimeoutMs }),
        ...(maxArrivingBytes === undefined ? {} : { maxArrivingBytes })
      }),
      onTlsError: ({ code }) => this.tlsErrors.push(code ?? ''),
      onDropped: () => this.dropped++,
      ...(limits === undefined ? {} : { limits })
    })
    this.server.setCertificate(pair)
  }

  static async start(t: TestContext, options: ServingOptions = {}): Promise<Serving> {
    const serving = new Serving(options)
    serving.address = await serving.server.start()
    t.after(() => serving.server.stop(0))
    return serving
  }

  get port(): number {
    return Number(this.address.split(':').at(-1))
  }

  client(t: TestContext, maxSockets?: number): AdmissionClient {
    return new AdmissionClient(t, this.address, authority.cert, maxSockets)
  }
}

/** Waits until something is so. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
