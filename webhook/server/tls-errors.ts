import type { IncidentLog } from '../../sidecar/logging/incidents.ts'

/** What a client says when it has another CA than ours. */
const DISTRUST: ReadonlySet<string | undefined> = new Set([
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED'
])

/**
 * Logs a handshake that failed, if it says something about this webhook: whoever only looks whether the port is open
 * does not.
 */
export function logTlsError(incidents: IncidentLog, { code }: NodeJS.ErrnoException): void {
  if (DISTRUST.has(code)) {
    incidents.report(
      'error',
      'distrust',
      { code },
      'a client does not trust our certificate: if it is the API server, see the webhook configuration’s caBundle, and the names in the certificate'
    )
  } else if (code?.startsWith('ERR_SSL_') === true) {
    incidents.report('warn', 'handshake', { code }, `a TLS handshake failed (${code})`)
  }
}
