/**
 * KServe's agent as a container: it takes KServe's arguments, listens on 9081, proxies to the model and logs what it sees.
 * On top of that it says on port 9089 what became of every event, a line of JSON each, from its start to its end; and at
 * `/settled`, as soon as nothing is on its way, how many that were.
 * `--quiet-period MS` is how long nothing must come after SIGTERM before it ends: KServe's 30 s unless said.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { KServeAgent } from '../../kserve-agent/index.ts'
import type { AnsweredEvent } from './answered-event.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    'log-url': text,
    'log-mode': text,
    'source-uri': text,
    'inference-service': text,
    namespace: text,
    endpoint: text,
    component: text,
    'logger-tls-skip-verify': text,
    'component-port': text,
    'quiet-period': text
  }
})

const modelPort = Number(values['component-port'] ?? 8080)
const answered: string[] = []
const followers = new Set<ServerResponse>()
const agent = new KServeAgent({
  sink: values['log-url'] ?? '',
  inferenceService: values['inference-service'] ?? '',
  namespace: values.namespace ?? '',
  component: values.component ?? '',
  onLogLine: line => console.log(line),
  onAnswer: ({ id, type }, status) => {
    const line = `${JSON.stringify({ id, type, status: status ?? 0 } satisfies AnsweredEvent)}\n`
    answered.push(line)
    for (const follower of followers) follower.write(line)
  }
})

const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  if (request.headers['k-network-probe'] === 'queue') return probe(response)
  void proxy(request, response)
})
server.listen(9081)

createServer((request, response) => {
  if (request.url === '/settled') {
    void agent.settled().then(() => response.end(String(answered.length)))
    return
  }
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
  response.write(answered.join(''))
  response.flushHeaders()
  followers.add(response)
  response.on('close', () => followers.delete(response))
}).listen(9089)

process.once('SIGTERM', () => {
  void agent.drain(Number(values['quiet-period'] ?? 30_000)).then(lost => {
    console.log(`drained, lost: ${JSON.stringify(lost)}`)
    server.close()
    for (const follower of followers) follower.end()
    // Followers read to the end; nobody waits for more than that.
    setTimeout(() => process.exit(0), 100)
  })
})

/** As the kubelet's probe finds it: ready when the model takes connections. Probes are not logged. */
function probe(response: ServerResponse): void {
  const socket = connect(modelPort, '127.0.0.1')
  socket.once('connect', () => {
    socket.destroy()
    response.writeHead(200).end()
  })
  socket.once('error', () => response.writeHead(503).end())
}

async function proxy(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await read(request)
  const ceId = request.headers['ce-id']
  const contentType = request.headers['content-type']
  const id = await agent.log({
    type: 'request',
    body,
    ...(typeof ceId === 'string' ? { id: ceId } : {}),
    ...(contentType === undefined ? {} : { contentType })
  })
  const forwarded = httpRequest(
    { host: '127.0.0.1', port: modelPort, method: request.method, path: request.url, headers: request.headers },
    answer => {
      void read(answer).then(async answerBody => {
        const answerType = answer.headers['content-type']
        await agent.log({ type: 'response', id, body: answerBody, ...(answerType ? { contentType: answerType } : {}) })
        const length = { 'Content-Length': answerBody.length }
        response.writeHead(answer.statusCode ?? 502, { 'Content-Type': answerType ?? '', ...length }).end(answerBody)
      })
    }
  )
  forwarded.once('error', () => response.writeHead(502).end())
  forwarded.end(body)
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
