import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Kafka's number of the request that carries records. */
const PRODUCE = 0

/**
 * Stands between a client and a Kafka of one broker, and loses what it is told to: the broker lives and answers, and
 * records do not arrive.
 */
export class SwallowingProxy {
  /** Whether requests that carry records are lost on their way. */
  swallows = true
  /** How many were. */
  swallowed = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #brokerPort: number

  private constructor(brokerPort: number) {
    this.#brokerPort = brokerPort
    this.#server = createServer(client => this.#join(client))
  }

  /** Starts one that ends with the test. */
  static async start(t: { after(stop: () => void): void }, brokerPort: number): Promise<SwallowingProxy> {
    const proxy = new SwallowingProxy(brokerPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.after(() => {
      proxy.#server.close()
      for (const socket of proxy.#sockets) socket.destroy()
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #join(client: Socket): void {
    const broker = connect(this.#brokerPort, '127.0.0.1')
    for (const [one, other] of [
      [client, broker],
      [broker, client]
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
    onFrames(client, frame => {
      const isProduce = frame.readInt16BE(4) === PRODUCE
      if (isProduce && this.swallows) this.swallowed++
      else broker.write(frame)
    })
    onFrames(broker, frame => client.write(this.#withOwnPort(frame)))
  }

  /** The broker says where it is to be found: there where this is. The port stands behind the host's name, as an INT32. */
  #withOwnPort(frame: Buffer): Buffer {
    const before = Buffer.concat([Buffer.from('127.0.0.1'), int32(this.#brokerPort)])
    for (let at = frame.indexOf(before); at !== -1; at = frame.indexOf(before, at + 1)) {
      frame.writeInt32BE(this.port, at + before.length - 4)
    }
    return frame
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Cuts a stream into Kafka's requests or responses: each an INT32 with the length of what follows. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
  })
}
