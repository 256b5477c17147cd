import { isIP } from 'node:net'
import { ValueError } from './units.ts'

/** An address to listen on: a host name or IP address without brackets, and a port (0: the system picks one). */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

function parseHostPort(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const host = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  if (port > 65535 || (match[1] !== undefined && isIP(host) !== 6)) return undefined
  return { host, port }
}

/**
 * Parses a list of addresses to listen on.
 * @param text addresses separated by commas: `127.0.0.1:9480,[::1]:9480`
 * @throws {ValueError} when one of them is no `host:port`
 */
export function parseListen(text: string): readonly ListenAddress[] {
  return text.split(',').map(part => {
    const address = parseHostPort(part.trim())
    if (address === undefined)
      throw new ValueError('host:port, several separated by commas (127.0.0.1:9480,[::1]:9480)')
    return address
  })
}

/**
 * Parses a single address to listen on.
 * @throws {ValueError} when it is no `host:port`
 */
export function parseListenOne(text: string): ListenAddress {
  const addresses = parseListen(text)
  const [first] = addresses
  if (first === undefined || addresses.length > 1) throw new ValueError('one host:port (0.0.0.0:9481)')
  return first
}

/**
 * Checks a list of Kafka bootstrap servers.
 * @param text `host:port` pairs separated by commas; a missing port means 9092, as librdkafka has it
 * @returns the list in librdkafka's form, without blanks
 * @throws {ValueError} when one of them is no `host:port`
 */
export function parseBrokers(text: string): string {
  const brokers = text.split(',').map(part => part.trim())
  for (const broker of brokers) {
    // librdkafka also takes a protocol in front (SSL://host:port).
    const bare = broker.replace(/^(?:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL):\/\//i, '')
    const address = parseHostPort(/^[^:\s]+$/.test(bare) ? `${bare}:9092` : bare)
    if (address === undefined || address.port === 0 || /[/@]/.test(address.host)) {
      throw new ValueError('host:port, several separated by commas (kafka-0.kafka:9092,kafka-1.kafka:9092)')
    }
  }
  return brokers.join(',')
}

/** Writes an address the way it is read: IPv6 in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
