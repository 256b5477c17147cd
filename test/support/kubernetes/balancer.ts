import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { WebhookProcess } from './webhook-process.ts'

/**
 * What a Service does for the API server: new connections go to replicas that are ready, by turns, and those that are
 * there stay where they are. It learns late, as nodes do, who is ready.
 */
export class Balancer {
  /** For `clientConfig.url`. */
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  readonly #timer: NodeJS.Timeout

  private constructor(server: Server, sockets: Set<Socket>, timer: NodeJS.Timeout) {
    this.#server = server
    this.#sockets = sockets
    this.#timer = timer
    this.url = `https://localhost:${(server.address() as AddressInfo).port}/mutate`
  }

  /** @param lateMs how long after each other it asks the replicas */
  static async start(replicas: readonly WebhookProcess[], lateMs: number): Promise<Balancer> {
    let ready = [...replicas]
    let turn = 0
    const look = async (): Promise<void> => {
      const answers = await Promise.all(replicas.map(replica => replica.isReady()))
      ready = replicas.filter((_replica, index) => answers[index])
    }
    const sockets = new Set<Socket>()
    const server = createServer(client => {
      const replica = ready[turn++ % ready.length]
      if (replica === undefined) return void client.destroy()
      const upstream = connect(replica.port, '127.0.0.1')
      for (const [one, other] of [
        [client, upstream],
        [upstream, client]
      ] as const) {
        sockets.add(one)
        one.pipe(other)
        one.on('error', () => other.destroy())
        one.on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Balancer(
      server,
      sockets,
      setInterval(() => void look(), lateMs)
    )
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }
}
