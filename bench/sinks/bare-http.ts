import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// The floor for any HTTP sink on Node: reads the body, answers an empty 200, promises nothing.
const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  request.on('data', () => {})
  request.on('end', () => {
    response.writeHead(200, { 'Content-Length': 0 })
    response.end()
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ msg: 'ready', listen: [`127.0.0.1:${port}`] })}\n`)
})
process.on('SIGTERM', () => process.exit(0))
// a bench that dies takes its sinks with it
process.stdin.resume().on('end', () => process.exit(0))
