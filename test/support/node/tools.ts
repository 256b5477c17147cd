import { join } from 'node:path'
import { isInstalled, missingTools as missingImageTools } from '../image/tools.ts'
import { missingKafkaTools } from '../kafka/index.ts'
import { controlPlanePrograms, missingKubernetesTools } from '../kubernetes/tools.ts'

/** What runs a node, beside containerd. */
export const nodePrograms = [...controlPlanePrograms, 'kube-scheduler', 'kubelet'] as const

/** Where Debian has the network's plugins. */
export const cniFolder = '/usr/lib/cni'

// Debian's packages by a file that each has.
const packages: readonly (readonly [name: string, file: string])[] = [
  ['containerd', 'containerd'],
  ['runc', 'runc'],
  ['iptables', 'iptables'],
  ['iproute2', 'ip'],
  ['containernetworking-plugins', join(cniFolder, 'bridge')]
]

/** The Debian packages that a node needs and this machine lacks, by the names that `apt-get install` takes. */
export function missingPackages(): string[] {
  return packages.filter(([, file]) => !isInstalled(file)).map(([name]) => name)
}

/**
 * For a suite's `skip`: why there can be no node on this machine, or false. With CI=true nothing is skipped, and
 * {@link requireNodeTools} fails.
 */
export const withoutNode: string | false = process.env['CI'] !== 'true' && reason()

/** Throws when there can be no node on this machine, with what to do about it. */
export function requireNodeTools(): void {
  const missing = reason()
  if (missing !== false) throw new Error(missing)
}

function reason(): string | false {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root, since containers do'
  const debian = [...new Set([...missingPackages(), ...missingImageTools()])]
  const missing = [
    ...(debian.length > 0 ? [`${debian.join(', ')} (Debian packages of these names)`] : []),
    ...missingKubernetesTools(nodePrograms),
    ...missingKafkaTools()
  ]
  return missing.length > 0 && `needs ${missing.join(', ')}`
}
