import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KServeAgent } from './agent.ts'
import type { KServeAgentOptions } from './options.ts'

/** Listens on a loopback port until the test ends; returns the URL. */
export async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** An HTTP server that reads each request to its end before it calls the handler, and an agent that sends to it. */
export async function sinkAndAgent(
  t: TestContext,
  handler: Handler,
  options: Partial<KServeAgentOptions> = {}
): Promise<{ server: Server; sink: string; agent: KServeAgent }> {
  const server = createHttpServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    request.resume().on('end', () => handler(request, response))
  })
  const sink = await listen(t, server)
  const agent = new KServeAgent({ sink, ...options })
  t.after(() => agent.close())
  return { server, sink, agent }
}

/** The answer that a sink of KServe should give. */
export const empty200: Handler = (_request, response) => response.writeHead(200, { 'Content-Length': 0 }).end()

/** Logs request events, waiting as a handler would when the channel is full. */
export async function logMany(agent: KServeAgent, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await agent.log({ type: 'request', body: '{}', contentType: 'application/json' })
}

/** Waits until the condition holds, five seconds at most: the assertion after it says what is wrong. */
export async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < 5000; waited += 5) await sleep(5)
}

/** A server that acts on each chunk received, for what node:http would not do. */
export function rawServer(onRequest: (socket: Socket, nthOfConnection: number) => void): Server {
  return createTcpServer(socket => {
    let requests = 0
    socket.on('data', () => onRequest(socket, ++requests))
  })
}
