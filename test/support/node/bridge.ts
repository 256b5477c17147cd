import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { promisify } from 'node:util'
import { searchPath } from '../image/tools.ts'
import { apiServerAddress, nodeAddress } from './config.ts'
import { names } from './machine.ts'

const execute = promisify(execFile)

async function run(program: string, ...args: string[]): Promise<void> {
  await execute(program, args, { env: { ...process.env, PATH: searchPath } })
}

/** Makes the node's bridge, and the chain of iptables in which pods are cut off. The machine's keeper takes both back. */
export async function makeBridge(): Promise<void> {
  await run('ip', 'link', 'add', names.bridge, 'type', 'bridge')
  await run('ip', 'addr', 'add', `${nodeAddress}/24`, 'dev', names.bridge)
  await run('ip', 'addr', 'add', `${apiServerAddress}/32`, 'dev', names.bridge)
  await run('ip', 'link', 'set', names.bridge, 'up')
  await run('iptables', '-w', '-N', names.chain)
  await run('iptables', '-w', '-I', 'INPUT', '-j', names.chain)
}

/**
 * Pods reach the API server where a Service would lead them to: there is no kube-proxy. For as long as this process runs.
 * @param url the API server's
 */
export async function serveApiServer(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const server = createServer(from => {
    const to = connect(Number(port), hostname)
    // Whichever end goes takes the other with it.
    from.on('error', () => to.destroy()).on('close', () => to.destroy())
    to.on('error', () => from.destroy()).on('close', () => from.destroy())
    from.pipe(to).pipe(from)
  })
  server.listen(443, apiServerAddress)
  await once(server, 'listening')
  server.unref()
}

/** From now on a port of this machine refuses a pod, also on connections that it has. */
export async function cutOff(podAddress: string, port: number): Promise<void> {
  await run('iptables', '-w', '-A', names.chain, ...rule(podAddress, port))
}

/** Takes {@link cutOff} back. */
export async function reconnect(podAddress: string, port: number): Promise<void> {
  await run('iptables', '-w', '-D', names.chain, ...rule(podAddress, port))
}

function rule(podAddress: string, port: number): string[] {
  return ['-s', podAddress, '-p', 'tcp', '--dport', String(port), '-j', 'REJECT', '--reject-with', 'tcp-reset']
}
