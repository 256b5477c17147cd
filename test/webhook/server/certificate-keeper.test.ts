import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '../../../sidecar/logging/logger.ts'
import { CertificateKeeper } from '../../../webhook/server/certificate-keeper.ts'
import type { LogLine } from '../../cli/cli-process.ts'
import { CertificateAuthority, type CertificatePair } from '../../support/certificates.ts'
import { until } from './harness.ts'
import { Files } from './running-webhook.ts'

const SECOND = 1000
const HOUR = 3600 * SECOND
const authority = await CertificateAuthority.create()
/** Whole seconds, as certificates have them. */
const now = Math.floor(Date.now() / SECOND) * SECOND
const pair = (from: number, to: number): Promise<CertificatePair> =>
  authority.server(['x'], { notBefore: new Date(now + from), notAfter: new Date(now + to) })
const [first, second, expired, future] = await Promise.all([
  pair(-HOUR, HOUR),
  pair(-HOUR, 2 * HOUR),
  pair(-2 * HOUR, -HOUR),
  pair(HOUR / 2, 3 * HOUR)
])

class Keeping {
  readonly keeper: CertificateKeeper
  readonly files: Files
  readonly applied: string[] = []
  readonly reloads: string[] = []
  readonly problems: (string | undefined)[] = []
  readonly #text: string[] = []
  /** Added to the clock, ms. */
  ahead = 0

  constructor(t: TestContext, certificate?: CertificatePair) {
    this.files = new Files(t)
    if (certificate !== undefined) this.files.writeCertificate(certificate)
    this.keeper = new CertificateKeeper({
      folder: this.files.certificates,
      apply: ({ cert }) => {
        if (cert === this.refused) throw Object.assign(new Error('hunter2'), { code: 'ERR_SSL_EE_KEY_TOO_SMALL' })
        this.applied.push(cert)
      },
      onReload: result => this.reloads.push(result),
      onChange: problem => this.problems.push(problem),
      logger: createLogger('trace', 'webhook', { write: line => void this.#text.push(line) }),
      now: () => now + this.ahead,
      watch: { debounceMs: 10, pollMs: 200 }
    })
    t.after(() => this.keeper.stop())
  }

  /** What OpenSSL does not take. */
  refused: string | undefined

  get log(): string[] {
    return this.#text.map(line => JSON.parse(line) as LogLine).map(({ level, msg }) => `${level}: ${msg}`)
  }

  async reloaded(result: string): Promise<void> {
    await until(`a reload, ${result}`, () => this.reloads.at(-1) === result)
  }
}

describe('a certificate', () => {
  test('that is there at the start is in service', t => {
    const keeping = new Keeping(t, first)
    assert.deepEqual(keeping.applied, [first.cert])
    assert.equal(keeping.keeper.problem, undefined)
    assert.deepEqual([keeping.problems, keeping.reloads], [[], []])
  })

  test('that is missing at the start is said to be, and taken when it appears', async t => {
    const keeping = new Keeping(t)
    assert.equal(keeping.keeper.problem, 'there is no certificate: tls.crt is missing')
    assert.equal(keeping.keeper.inService, false)
    assert.match(keeping.log.join(), /^error: there is no certificate: tls\.crt is missing: the API server cannot use/)
    keeping.files.writeCertificate(first)
    await keeping.reloaded('success')
    assert.equal(keeping.keeper.problem, undefined)
    assert.deepEqual(keeping.applied, [first.cert])
    assert.equal(keeping.problems.at(-1), undefined)
  })

  test('that is replaced is replaced', async t => {
    const keeping = new Keeping(t, first)
    keeping.files.writeCertificate(second)
    await keeping.reloaded('success')
    assert.deepEqual(keeping.applied, [first.cert, second.cert])
  })

  for (const [what, bad, reason] of [
    ['does not belong to its key', { ...second, key: first.key }, /tls\.key is not the key/],
    ['is none', { cert: 'x', key: 'y' }, /tls\.crt has no certificate/],
    ['has expired', expired, /it expired on/]
  ] as const) {
    test(`stays when the new one ${what}`, async t => {
      const keeping = new Keeping(t, first)
      keeping.files.writeCertificate(bad)
      await keeping.reloaded('failure')
      assert.deepEqual(keeping.applied, [first.cert])
      assert.equal(keeping.keeper.problem, undefined)
      assert.match(keeping.log.at(-1) ?? '', /^error: the new certificate is not used, the old one stays: /)
      assert.match(keeping.log.at(-1) ?? '', reason)
      keeping.files.writeCertificate(second)
      await keeping.reloaded('success')
      assert.deepEqual(keeping.applied, [first.cert, second.cert])
    })
  }

  test('stays when OpenSSL does not take the new one', async t => {
    const keeping = new Keeping(t, first)
    keeping.refused = second.cert
    keeping.files.writeCertificate(second)
    await keeping.reloaded('failure')
    assert.equal(keeping.keeper.problem, undefined)
    assert.match(keeping.log.at(-1) ?? '', /it cannot be used \(ERR_SSL_EE_KEY_TOO_SMALL\)$/)
    assert.doesNotMatch(keeping.log.join(), /hunter2|PRIVATE/)
  })

  test('stays when the files are gone', async t => {
    const keeping = new Keeping(t, first)
    rmSync(join(keeping.files.certificates, 'tls.crt'))
    await keeping.reloaded('failure')
    assert.equal(keeping.keeper.problem, undefined)
  })

  test('that is not valid yet waits for its time while the old one is', async t => {
    const keeping = new Keeping(t, first)
    keeping.ahead = HOUR / 2 - 150
    keeping.files.writeCertificate(future)
    await keeping.reloaded('failure')
    assert.deepEqual(keeping.applied, [first.cert])
    keeping.ahead = HOUR / 2
    await keeping.reloaded('success')
    assert.deepEqual(keeping.applied, [first.cert, future.cert])
  })

  test('that expires is said to have, at its time, and its successor is taken', async t => {
    const keeping = new Keeping(t)
    keeping.ahead = HOUR - 250
    keeping.files.writeCertificate(first)
    await keeping.reloaded('success')
    assert.equal(keeping.keeper.problem, undefined)
    keeping.ahead = HOUR
    await until('told', () => keeping.problems.at(-1) !== undefined)
    assert.equal(keeping.keeper.problem, `the certificate expired on ${new Date(now + HOUR).toISOString()}`)
    assert.match(
      keeping.log.at(-1) ?? '',
      /^error: the certificate expired on .* until tls\.crt and tls\.key are renewed$/
    )
    keeping.files.writeCertificate(second)
    await until('in service', () => keeping.keeper.problem === undefined)
  })

  for (const [what, bad, reason] of [
    ['has expired', expired, /^the certificate expired on /],
    ['is not valid yet', future, /^the certificate is not valid before /]
  ] as const) {
    test(`that ${what} at the start is in service, and said to be no use`, t => {
      const keeping = new Keeping(t, bad)
      assert.deepEqual(keeping.applied, [bad.cert])
      assert.match(keeping.keeper.problem ?? '', reason)
      assert.equal(keeping.log.filter(line => line.startsWith('error')).length, 1)
    })
  }

  test('that was not valid at the start is ready at its time', async t => {
    const keeping = new Keeping(t)
    keeping.ahead = HOUR / 2 - 200
    keeping.files.writeCertificate(future)
    await keeping.reloaded('success')
    assert.match(keeping.keeper.problem ?? '', /not valid before/)
    keeping.ahead = HOUR / 2
    await until('told', () => keeping.problems.at(-1) === undefined)
  })

  test('is left alone after the end', async t => {
    const keeping = new Keeping(t, first)
    keeping.keeper.stop()
    keeping.files.writeCertificate(second)
    await sleep(100)
    assert.deepEqual(keeping.applied, [first.cert])
  })
})
