/**
 * Loaded with `--import` into a process that shall take itself for a pod with a ServiceAccount: what it reads below the
 * folder where the kubelet would put the token comes from the one that TEST_SERVICE_ACCOUNT names.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const inPods = '/var/run/secrets/kubernetes.io/serviceaccount'
const folder = process.env['TEST_SERVICE_ACCOUNT']
const { readFile } = fs.promises

if (folder !== undefined) {
  fs.promises.readFile = ((path: unknown, ...rest: unknown[]) => {
    const redirected = typeof path === 'string' && path.startsWith(inPods) ? folder + path.slice(inPods.length) : path
    return (readFile as (...args: unknown[]) => Promise<unknown>)(redirected, ...rest)
  }) as typeof readFile
  syncBuiltinESMExports()
}
