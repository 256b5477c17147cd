import { isRecord, list, record, text } from '../../webhook/pod.ts'
import { parseBytesQuantity } from '../../webhook/annotations/quantity.ts'

type Json = Readonly<Record<string, unknown>>

/** What Kubernetes' validation would say about a pod, of what a sidecar can make wrong (pkg/apis/core/validation). */
export function objectionsTo(pod: unknown): string[] {
  const spec = record(record(pod)['spec'])
  const containers = list(spec['containers'])
  const initContainers = list(spec['initContainers'])
  const volumes = list(spec['volumes'])
  const all = [...containers, ...initContainers]
  const volumeNames = volumes.map(volume => text(volume['name']) ?? '')
  return [
    ...duplicates('container', all.map(nameOf)),
    ...duplicates('volume', volumeNames),
    ...duplicates('pull secret', list(spec['imagePullSecrets']).map(nameOf)),
    ...metadataObjections(record(record(pod)['metadata'])),
    ...graceObjections(spec['terminationGracePeriodSeconds']),
    ...volumes.flatMap(volumeObjections),
    ...all.flatMap(container => containerObjections(container, volumeNames)),
    ...initContainers.flatMap(initObjections),
    ...containers.filter(each => each['restartPolicy'] !== undefined).map(each => `${nameOf(each)}: restartPolicy`)
  ]
}

function nameOf(object: Json): string {
  return text(object['name']) ?? ''
}

function duplicates(what: string, names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index).map(name => `${what} ${name} is there twice`)
}

function metadataObjections({ annotations }: Json): string[] {
  if (annotations === undefined || annotations === null) return []
  if (!isRecord(annotations)) return ['annotations are no mapping']
  const wrong = Object.entries(annotations).filter(([, value]) => typeof value !== 'string')
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0)
  return [
    ...wrong.map(([key]) => `annotation ${key} is no text`),
    ...(size > 262_144 ? ['annotations are too long'] : [])
  ]
}

function graceObjections(seconds: unknown): string[] {
  return seconds === undefined || (Number.isSafeInteger(seconds) && Number(seconds) >= 0) ? [] : ['grace period']
}

function volumeObjections(volume: Json): string[] {
  const name = nameOf(volume)
  const sources = Object.keys(volume).filter(key => key !== 'name')
  const objections = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name) ? [] : [`volume ${name}: name`]
  if (sources.length !== 1) objections.push(`volume ${name}: sources ${sources.join()}`)
  const { sizeLimit } = record(volume['emptyDir'])
  if (sizeLimit !== undefined && parseBytesQuantity(shown(sizeLimit)) === undefined)
    objections.push(`volume ${name}: sizeLimit`)
  const { ephemeral } = volume
  if (ephemeral !== undefined) {
    const template = record(record(ephemeral)['volumeClaimTemplate'])
    const claim = record(template['spec'])
    if (
      !Array.isArray(claim['accessModes']) ||
      record(record(claim['resources'])['requests'])['storage'] === undefined
    ) {
      objections.push(`volume ${name}: claim`)
    }
  }
  for (const kind of ['secret', 'configMap']) {
    const source = volume[kind]
    if (source !== undefined && text(record(source)[kind === 'secret' ? 'secretName' : 'name']) === undefined) {
      objections.push(`volume ${name}: ${kind}`)
    }
  }
  return objections
}

function containerObjections(container: Json, volumeNames: readonly string[]): string[] {
  const name = nameOf(container)
  const env = list(container['env'])
  const mounts = list(container['volumeMounts'])
  const ports = list(container['ports'])
  const objections = [
    ...duplicates(
      `${name}: mount`,
      mounts.map(mount => text(mount['mountPath']) ?? '')
    ),
    ...duplicates(
      `${name}: port`,
      ports.map(nameOf).filter(each => each !== '')
    ),
    ...mounts.filter(mount => !volumeNames.includes(nameOf(mount))).map(mount => `${name}: mounts ${nameOf(mount)}`),
    ...env.flatMap(variable => variableObjections(name, variable)),
    ...ports.flatMap(port => portObjections(name, port)),
    ...probeObjections(name, container)
  ]
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) objections.push(`${name}: name`)
  if (text(container['image']) === undefined || text(container['image']) === '') objections.push(`${name}: image`)
  const { requests, limits } = record(container['resources'])
  for (const [resource, request] of Object.entries(record(requests))) {
    const [asked, most] = [quantity(request), quantity(record(limits)[resource])]
    if (asked === undefined) objections.push(`${name}: request of ${resource}`)
    else if (most !== undefined && asked > most) objections.push(`${name}: more ${resource} than its limit`)
  }
  return objections
}

function variableObjections(container: string, { name, value, valueFrom }: Json): string[] {
  const objections: string[] = []
  if (typeof name !== 'string' || !/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name))
    objections.push(`${container}: env ${shown(name)}`)
  if (value !== undefined && typeof value !== 'string') objections.push(`${container}: env ${shown(name)} is no text`)
  if (value !== undefined && valueFrom !== undefined)
    objections.push(`${container}: env ${shown(name)} has two sources`)
  return objections
}

function portObjections(container: string, { name, containerPort }: Json): string[] {
  const ok = Number.isInteger(containerPort) && Number(containerPort) > 0 && Number(containerPort) < 65_536
  const named = name === undefined || (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(shown(name)) && shown(name).length <= 15)
  return ok && named ? [] : [`${container}: port ${shown(name)} ${shown(containerPort)}`]
}

/** A probe's port has to be one of the container's, by name or number. */
function probeObjections(name: string, container: Json): string[] {
  const names = list(container['ports']).map(nameOf)
  return ['startupProbe', 'livenessProbe', 'readinessProbe'].flatMap(kind => {
    const { port } = record(record(container[kind])['httpGet'])
    return typeof port === 'string' && !names.includes(port) ? [`${name}: ${kind} on port ${port}`] : []
  })
}

/** Only a native sidecar may have probes, and its restartPolicy is Always. */
function initObjections(container: Json): string[] {
  const { restartPolicy } = container
  if (restartPolicy === 'Always') return []
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].filter(kind => container[kind] !== undefined)
  return [
    ...probes.map(kind => `${nameOf(container)}: ${kind} of an init container`),
    ...(restartPolicy === undefined ? [] : [`${nameOf(container)}: restartPolicy ${shown(restartPolicy)}`])
  ]
}

function quantity(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const milli = /^(\d+)m$/.exec(shown(value))
  return milli === null ? parseBytesQuantity(shown(value)) : Number(milli[1]) / 1000
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : String(JSON.stringify(value))
}
