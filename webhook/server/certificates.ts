import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Names of the files, as the keys of a Secret of type kubernetes.io/tls. */
export const CERTIFICATE_FILE = 'tls.crt'
export const KEY_FILE = 'tls.key'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A certificate with its chain and its key, which belong together. */
export interface ServingCertificate {
  /** PEM, as in the files. */
  readonly cert: string
  readonly key: string
  /** Whom it is for: the subject alternative names. */
  readonly names: string
  /** From when to when all of the chain is valid, ms since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** What may keep an API server from trusting it, a sentence each. */
  readonly remarks: readonly string[]
}

/** There is no certificate, or none that works; the message says why, and has nothing of the key. */
export class CertificateError extends Error {}

/**
 * Reads a certificate and its key, and checks that they can serve.
 * @param folder with `tls.crt` (the certificate first, then those between it and the root) and `tls.key`, PEM
 * @throws {CertificateError}
 */
export function readCertificate(folder: string): ServingCertificate {
  const cert = read(folder, CERTIFICATE_FILE)
  const keyText = read(folder, KEY_FILE)
  const [leaf, ...others] = parseChain(cert)
  if (leaf === undefined) throw new CertificateError(`${CERTIFICATE_FILE} has no certificate (PEM)`)
  const key = parseKey(keyText)
  if (!leaf.checkPrivateKey(key)) {
    throw new CertificateError(
      others.some(other => other.checkPrivateKey(key))
        ? `the certificate of ${KEY_FILE} must be the first in ${CERTIFICATE_FILE}`
        : `${KEY_FILE} is not the key of the certificate in ${CERTIFICATE_FILE}`
    )
  }
  const chain = path(leaf, others)
  return {
    cert,
    key: keyText,
    names: leaf.subjectAltName ?? '',
    notBefore: Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom))),
    notAfter: Math.min(...chain.map(({ validTo }) => Date.parse(validTo))),
    remarks: remarksOn(leaf, others.length + 1 - chain.length)
  }
}

function read(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CertificateError(code === 'ENOENT' ? `${name} is missing` : `${name} cannot be read (${code ?? 'error'})`)
  }
}

function parseChain(text: string): X509Certificate[] {
  try {
    return (text.match(BLOCK) ?? []).map(block => new X509Certificate(block))
  } catch {
    throw new CertificateError(`${CERTIFICATE_FILE} has a certificate that cannot be read`)
  }
}

function parseKey(text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    throw new CertificateError(`${KEY_FILE} has no private key (PEM, not encrypted)`)
  }
}

/** The certificate and each one's issuer in turn, as far as they are in the file. */
function path(leaf: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const chain = [leaf]
  const left = new Set(others)
  for (let last: X509Certificate | undefined = leaf; last !== undefined;) {
    const child: X509Certificate = last
    last = [...left].find(other => child.checkIssued(other) && child.verify(other.publicKey))
    if (last === undefined) break
    left.delete(last)
    chain.push(last)
  }
  return chain
}

function remarksOn(leaf: X509Certificate, strangers: number): string[] {
  const remarks: string[] = []
  if (leaf.subjectAltName === undefined) {
    remarks.push('the certificate has no subject alternative name: the API server does not look at its common name')
  }
  // Undefined: for anything. Node's types say that it is always there.
  const usages = leaf.keyUsage as string[] | undefined
  if (usages !== undefined && !usages.includes(SERVER_AUTH)) {
    remarks.push('the certificate is not for servers (extended key usage): the API server refuses it')
  }
  if (strangers > 0) {
    remarks.push(`${CERTIFICATE_FILE} has ${strangers} certificates that have signed nothing in it`)
  }
  return remarks
}
