import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { formatAddress, type ListenAddress } from './config/addresses.ts'

/** Nothing could be listened on; the message says which address and what to do. */
export class ListenError extends Error {}

/** What a machine without IPv6 (or without that address) answers. */
const NO_SUCH_FAMILY: ReadonlySet<string | undefined> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])

/**
 * Lets each server listen on its address. Where IPv6 is switched off, `[::]` becomes `0.0.0.0`, as in Node's own default,
 * and `[::1]` is left out as long as another address works; any other failure closes all of them again.
 * @param variable the setting to name in an error
 * @returns the addresses listened on, `host:port`, with the ports that were picked
 * @throws {ListenError}
 */
export async function listenAll(
  servers: readonly Server[],
  addresses: readonly ListenAddress[],
  variable: string
): Promise<string[]> {
  const bound: string[] = []
  const unavailable: string[] = []
  for (const [index, server] of servers.entries()) {
    const { host, port } = addresses[index] ?? { host: '', port: 0 }
    try {
      bound.push(await listenOn(server, host, port))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (NO_SUCH_FAMILY.has(code) && host.includes(':')) {
        unavailable.push(formatAddress(host, port))
        continue
      }
      for (const each of servers) each.close()
      throw new ListenError(explain(code, formatAddress(host, port), variable))
    }
  }
  if (bound.length === 0) throw new ListenError(explain('EADDRNOTAVAIL', unavailable.join(','), variable))
  return bound
}

async function listenOn(server: Server, host: string, port: number): Promise<string> {
  try {
    server.listen({ host, port, backlog: 1024 })
    await once(server, 'listening')
    return formatAddress(host, (server.address() as AddressInfo).port)
  } catch (error) {
    if (host !== '::' || !NO_SUCH_FAMILY.has((error as NodeJS.ErrnoException).code)) throw error
    return listenOn(server, '0.0.0.0', port)
  }
}

function explain(code: string | undefined, address: string, variable: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${address}: the port is in use; stop what holds it, or set ${variable} to another`
    case 'EACCES':
      return `cannot listen on ${address}: not permitted; set ${variable} to a port above 1023`
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `cannot listen on ${address}: this machine has no such address; set ${variable}`
    case undefined:
    default:
      return `cannot listen on ${address}: ${code ?? 'unknown error'}; check ${variable}`
  }
}
