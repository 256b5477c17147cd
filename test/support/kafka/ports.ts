import { createServer } from 'node:net'

const lowest = 20_000
const highest = 32_000
const tried = new Set<number>()

/**
 * Free TCP ports of 127.0.0.1, all different, none given twice by this process.
 *
 * They lie below the range that the kernel gives to outgoing connections (and to listeners on port 0): a client that keeps
 * reconnecting to a stopped broker's port in that range is sooner or later given the same port as its own, is then
 * connected to itself, and the broker cannot bind its port any more.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (tried.has(port)) continue
    tried.add(port)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
