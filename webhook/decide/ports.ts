import { agentsOf, type Listen } from './sink.ts'
import { list, record, text, texts, type RawPod } from '../pod.ts'

/** Ports that containers use without declaring them, by the container's name (Knative Serving, Istio). */
const RESERVED: ReadonlyMap<string, readonly number[]> = new Map([
  ['queue-proxy', [8012, 8013, 8022, 8112, 9090, 9091]],
  ['istio-proxy', [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090]],
  ['agent', [9081]]
])

/** A port that two containers would want. */
export interface PortConflict {
  readonly port: number
  readonly container: string
}

/**
 * Finds who has the ports that the sidecar needs: declared ones, those of probes (KServe's model servers declare none),
 * the model's as the agent knows it, and those that well-known containers have.
 * @param own name of the sidecar's container, which is left out
 */
export function portConflicts(pod: RawPod, listen: Listen, metricsPort: number, own: string): readonly PortConflict[] {
  const wanted = new Set([listen.port, metricsPort])
  const spec = record(pod['spec'])
  const running = [
    ...list(spec['containers']),
    ...list(spec['initContainers']).filter(({ restartPolicy }) => restartPolicy === 'Always')
  ].filter(({ name }) => name !== own)
  const taken = running.flatMap(container => {
    const name = text(container['name']) ?? '?'
    return [...declared(container), ...probed(container), ...(RESERVED.get(name) ?? [])].map(port => ({
      port,
      container: name
    }))
  })
  for (const agent of agentsOf(pod)) {
    const [model] = list(spec['containers'])
    for (const port of componentPorts(agent)) taken.push({ port, container: text(model?.['name']) ?? 'the model' })
  }
  const conflicts = new Map(taken.filter(({ port }) => wanted.has(port)).map(conflict => [conflict.port, conflict]))
  return [...conflicts.values()]
}

function declared(container: Readonly<Record<string, unknown>>): number[] {
  return list(container['ports'])
    .filter(({ protocol }) => protocol === undefined || protocol === 'TCP')
    .map(({ containerPort }) => Number(containerPort))
}

function probed(container: Readonly<Record<string, unknown>>): number[] {
  return ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap(name => {
    const probe = record(container[name])
    return ['httpGet', 'tcpSocket', 'grpc'].map(kind => Number(record(probe[kind])['port']))
  })
}

function componentPorts(agent: Readonly<Record<string, unknown>>): number[] {
  const args = texts(agent['args'])
  return args.flatMap((word, index) => (/^--?component-port$/.test(word) ? [Number(args[index + 1])] : []))
}
