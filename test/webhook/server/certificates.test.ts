import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { readCertificate } from '../../../webhook/server/certificates.ts'
import { temporaryFolder } from '../../metrics/running-sidecar.ts'
import { CertificateAuthority, type CertificatePair } from '../../support/certificates.ts'

const authority = await CertificateAuthority.create()
const pair = await authority.server(['webhook.models.svc', '10.0.0.1'])

function folderWith(t: TestContext, { cert, key }: CertificatePair): string {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'tls.crt'), cert)
  writeFileSync(join(folder, 'tls.key'), key)
  return folder
}

describe('a certificate', () => {
  test('is read with the names that it is for and its dates', async t => {
    const [notBefore, notAfter] = [new Date('2026-01-02T03:04:05Z'), new Date('2027-02-03T04:05:06Z')]
    const dated = await authority.server(['webhook.models.svc', '10.0.0.1'], { notBefore, notAfter })
    const read = readCertificate(folderWith(t, dated))
    assert.deepEqual(read, {
      ...dated,
      names: 'DNS:webhook.models.svc, IP Address:10.0.0.1',
      notBefore: notBefore.getTime(),
      notAfter: notAfter.getTime(),
      remarks: []
    })
  })

  test('is valid as long as all of its chain is, in whatever order that is', async t => {
    const notAfter = new Date('2030-01-01T00:00:00Z')
    const notBefore = new Date('2025-01-01T00:00:00Z')
    const first = await authority.intermediate('first', { notAfter, notBefore })
    const second = await first.intermediate('second', { notAfter: new Date('2029-01-01T00:00:00Z'), notBefore })
    const leaf = await second.server(['x'], { notAfter, notBefore })
    const [, ...issuers] = leaf.cert.split(/(?=-----BEGIN)/)
    const shuffled = {
      ...leaf,
      cert: [leaf.cert.split(/(?<=-----END CERTIFICATE-----\n)/)[0], ...issuers.reverse()].join('')
    }
    for (const each of [leaf, shuffled]) {
      const { notAfter: end, remarks } = readCertificate(folderWith(t, each))
      assert.equal(new Date(end).toISOString(), '2029-01-01T00:00:00.000Z')
      assert.deepEqual(remarks, [])
    }
  })

  test('is as long valid as itself where something else in the file is not', async t => {
    const stranger = await CertificateAuthority.create('stranger', { notAfter: new Date(Date.now() - 1000) })
    const { notAfter, remarks } = readCertificate(folderWith(t, { ...pair, cert: pair.cert + stranger.cert }))
    assert.ok(notAfter > Date.now())
    assert.match(remarks.join(), /1 certificates that have signed nothing/)
  })

  test('that the API server would not accept is used, with a remark', async t => {
    const client = readCertificate(folderWith(t, await authority.client('somebody')))
    assert.match(client.remarks.join('|'), /no subject alternative name.*\|.*not for servers/)
  })

  const other = authority.server()
  for (const [what, make, reason] of [
    [
      'without its key',
      async () => ({ ...pair, key: (await other).key }),
      /^tls\.key is not the key of the certificate in/
    ],
    [
      'behind its issuer’s',
      () => ({ ...pair, cert: authority.cert + '\n' + pair.cert }),
      /must be the first in tls\.crt$/
    ],
    ['that is none', () => ({ ...pair, cert: 'hello' }), /^tls\.crt has no certificate \(PEM\)$/],
    ['that is empty', () => ({ ...pair, cert: '' }), /^tls\.crt has no certificate \(PEM\)$/],
    [
      'that is damaged',
      () => ({ ...pair, cert: pair.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA') }),
      /cannot be read$/
    ],
    ['with a damaged key', () => ({ ...pair, key: 'secret' }), /^tls\.key has no private key \(PEM, not encrypted\)$/],
    [
      'with an encrypted key',
      () => ({ ...pair, key: encrypted(pair.key) }),
      /^tls\.key has no private key \(PEM, not enc/
    ]
  ] as const) {
    test(`${what} is refused with the reason`, async t => {
      const folder = folderWith(t, await make())
      assert.throws(() => readCertificate(folder), { name: 'Error', message: reason })
    })
  }

  for (const name of ['tls.crt', 'tls.key']) {
    test(`is missing without ${name}`, t => {
      const folder = folderWith(t, pair)
      rmSync(join(folder, name))
      assert.throws(() => readCertificate(folder), { message: `${name} is missing` })
    })
  }

  test('that cannot be read says so', t => {
    const folder = folderWith(t, pair)
    rmSync(join(folder, 'tls.key'))
    chmodSync(folder, 0o700)
    assert.throws(() => readCertificate(join(folder, 'tls.crt')), { message: 'tls.crt cannot be read (ENOTDIR)' })
  })
})

function encrypted(key: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'p' } as const
  return createPrivateKey(key).export(options).toString()
}
