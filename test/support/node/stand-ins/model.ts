/**
 * A model's container: `node model.js [--crash-after MS] [--linger MS]`. It answers `POST /v1/models/<name>:predict` on
 * port 8080 with what it was sent, ends with 1 some time after its start, and goes on for a while after SIGTERM.
 */
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { 'crash-after': { type: 'string' }, linger: { type: 'string', default: '0' } }
})

if (values['crash-after'] !== undefined) {
  setTimeout(() => {
    console.error('Traceback: the model cannot be loaded')
    process.exit(1)
  }, Number(values['crash-after']))
}

process.on('SIGTERM', () => setTimeout(() => process.exit(0), Number(values.linger)))

createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const predicts = request.method === 'POST' && /^\/v[12]\/models\/[^/]+(?::predict|\/infer)$/.test(request.url ?? '')
    const body = predicts ? `{"predictions":[${Buffer.concat(chunks).length}]}` : '{}'
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body)
  })
}).listen(8080)
