import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { searchPath } from '../image/tools.ts'
import { nodeAddress } from './config.ts'
import { names } from './machine.ts'

const execute = promisify(execFile)

async function run(program: string, ...args: string[]): Promise<void> {
  await execute(program, args, { env: { ...process.env, PATH: searchPath } })
}

/** Makes the node's bridge, and the chain of iptables in which pods are cut off. The machine's keeper takes both back. */
export async function makeBridge(): Promise<void> {
  await run('ip', 'link', 'add', names.bridge, 'type', 'bridge')
  await run('ip', 'addr', 'add', `${nodeAddress}/24`, 'dev', names.bridge)
  await run('ip', 'link', 'set', names.bridge, 'up')
  await run('iptables', '-w', '-N', names.chain)
  await run('iptables', '-w', '-I', 'INPUT', '-j', names.chain)
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
