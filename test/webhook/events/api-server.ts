import { mkdirSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Event } from 'kubernetes-types/core/v1.js'
import { temporaryFolder } from '../../metrics/running-sidecar.ts'
import { CertificateAuthority } from '../../support/certificates.ts'

/** What the API server was sent. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly event: Event
}

/** How it answers. */
export type Answering = (response: ServerResponse) => void

export const created: Answering = response => response.writeHead(201, { 'Content-Type': 'application/json' }).end('{}')

/** A server that plays the API server's route for Events, and the folder that a pod has for it. */
export class FakeApiServer {
  readonly received: Received[] = []
  readonly folder: string
  answering: Answering = created
  port = 0
  readonly #authority: CertificateAuthority

  private constructor(folder: string, authority: CertificateAuthority) {
    this.folder = folder
    this.#authority = authority
  }

  static async start(t: TestContext): Promise<FakeApiServer> {
    const authority = await CertificateAuthority.create('cluster CA')
    const folder = join(temporaryFolder(t), 'serviceaccount')
    mkdirSync(folder)
    const self = new FakeApiServer(folder, authority)
    self.writeToken('first')
    self.writeAuthority(authority.cert)
    const server = createServer(await authority.server(['127.0.0.1']), (request, response) =>
      self.#take(request, response)
    )
    server.listen({ host: '127.0.0.1', port: 0 })
    await new Promise(resolve => server.once('listening', resolve))
    self.port = (server.address() as AddressInfo).port
    t.after(() => {
      server.close()
      server.closeAllConnections()
    })
    return self
  }

  writeToken(token: string): void {
    writeFileSync(join(this.folder, 'token'), `${token}\n`)
  }

  writeAuthority(cert = this.#authority.cert): void {
    writeFileSync(join(this.folder, 'ca.crt'), cert)
  }

  /** How it is reached. */
  get options(): { host: string; port: number; folder: string; timeoutMs: number } {
    return { host: '127.0.0.1', port: this.port, folder: this.folder, timeoutMs: 500 }
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      this.received.push({
        method,
        path: url,
        authorization: headers.authorization,
        contentType: headers['content-type'],
        event: JSON.parse(body) as Event
      })
      this.answering(response)
    })
  }
}
