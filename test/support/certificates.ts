import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

type KeyPair = webcrypto.CryptoKeyPair
/** `CN=…`, or attributes that may repeat. */
type Name = string | x509.JsonName

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000

/** A certificate and its private key, PEM. */
export interface CertificatePair {
  /** The certificate, and behind it those between it and the root. */
  readonly cert: string
  /** PKCS #8. */
  readonly key: string
}

/** From when to when a certificate is valid; by default from yesterday to a week from now. */
export interface Validity {
  readonly notBefore?: Date
  readonly notAfter?: Date
}

/** A certificate authority for tests: EC P-256, in memory. */
export class CertificateAuthority {
  /** Its own certificate, PEM: what clients trust, what a webhook's `caBundle` has in base64. */
  readonly cert: string
  /** Its private key, PEM (PKCS #8): for programs that sign with it, as kube-controller-manager does. */
  readonly key: string
  readonly #name: string
  readonly #keys: KeyPair
  /** What issued pairs have behind the leaf. */
  readonly #chain: readonly string[]

  private constructor(name: string, keys: KeyPair, cert: string, key: string, chain: readonly string[]) {
    this.#name = name
    this.#keys = keys
    this.cert = cert
    this.key = key
    this.#chain = chain
  }

  /** Makes a root that signed itself. */
  static async create(name = 'test CA', validity: Validity = {}): Promise<CertificateAuthority> {
    const keys = await generateKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...common(validity),
      name: `CN=${name}`,
      keys,
      extensions: await authorityExtensions(keys)
    })
    return new CertificateAuthority(name, keys, certificate.toString('pem'), await keyPem(keys), [])
  }

  /** Makes an authority that this one has signed; what it issues has it in the file. */
  async intermediate(name = 'test intermediate CA', validity: Validity = {}): Promise<CertificateAuthority> {
    const keys = await generateKeys()
    const cert = await this.#sign(`CN=${name}`, keys, validity, await authorityExtensions(keys))
    return new CertificateAuthority(name, keys, cert, await keyPem(keys), [cert, ...this.#chain])
  }

  /**
   * Issues a server's certificate.
   * @param names DNS names and IP addresses; the first is also its common name
   */
  async server(
    names: readonly string[] = ['localhost', '127.0.0.1'],
    validity: Validity = {}
  ): Promise<CertificatePair> {
    const alternatives = names.map(value => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value }))
    return this.#issue(`CN=${names[0] ?? 'server'}`, x509.ExtendedKeyUsage.serverAuth, validity, [
      new x509.SubjectAlternativeNameExtension(alternatives)
    ])
  }

  /**
   * Issues a client's certificate. Kubernetes takes the common name for the user, and the organizations for the groups.
   */
  async client(
    commonName: string,
    organizations: readonly string[] = [],
    validity: Validity = {}
  ): Promise<CertificatePair> {
    const name = [...organizations.map(group => ({ O: [group] })), { CN: [commonName] }]
    return this.#issue(name, x509.ExtendedKeyUsage.clientAuth, validity, [])
  }

  async #issue(
    name: Name,
    usage: x509.ExtendedKeyUsage,
    validity: Validity,
    extensions: x509.Extension[]
  ): Promise<CertificatePair> {
    const keys = await generateKeys()
    const cert = await this.#sign(name, keys, validity, [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...extensions
    ])
    return { cert: [cert, ...this.#chain].map(pem => `${pem}\n`).join(''), key: await keyPem(keys) }
  }

  async #sign(subject: Name, keys: KeyPair, validity: Validity, extensions: x509.Extension[]): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      ...common(validity),
      subject,
      issuer: `CN=${this.#name}`,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [...extensions, await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey)]
    })
    return certificate.toString('pem')
  }
}

function generateKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function keyPem({ privateKey }: KeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY')}\n`
}

function common({ notBefore, notAfter }: Validity): {
  serialNumber: string
  notBefore: Date
  notAfter: Date
  signingAlgorithm: typeof ALGORITHM
} {
  return {
    // Positive: the first bit is none.
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    notBefore: notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: notAfter ?? new Date(Date.now() + 7 * DAY_MS),
    signingAlgorithm: ALGORITHM
  }
}

async function authorityExtensions(keys: KeyPair): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
  ]
}
