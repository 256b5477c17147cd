import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.js'
import { DEFAULT_JOURNAL_DIR } from '../../sidecar/config/variables.ts'
import { EMPTY_DIR } from '../annotations/parse.ts'
import type { Options } from '../annotations/table.ts'
import { VOLUMES } from '../decide/ours.ts'
import type { MountedKey, Settings } from '../settings/settings.ts'

const MOUNTS: Readonly<Record<keyof typeof VOLUMES, string>> = {
  journal: DEFAULT_JOURNAL_DIR,
  kafkaConfig: '/etc/inference-logger/kafka',
  kafkaCa: '/etc/inference-logger/ca'
}

/** Where a key of a mounted Secret or ConfigMap is in the sidecar. */
export function mountedPath(volume: 'kafkaConfig' | 'kafkaCa', key: string): string {
  return `${MOUNTS[volume]}/${key}`
}

/** Volumes of a pod, and where the sidecar has them. */
export interface Volumes {
  readonly volumes: readonly Volume[]
  readonly mounts: readonly VolumeMount[]
}

/**
 * Makes the volumes: the journal's, and those of Kafka's configuration and authorities.
 * @param kafkaConfig the Secret with the properties file
 */
export function volumesOf(settings: Settings, options: Options, kafkaConfig: MountedKey | undefined): Volumes {
  const volumes: Volume[] = [journalVolume(settings, options)]
  const mounts: VolumeMount[] = [{ name: VOLUMES.journal, mountPath: MOUNTS.journal }]
  const add = (volume: 'kafkaConfig' | 'kafkaCa', from: MountedKey | undefined): void => {
    if (from === undefined) return
    const items = [{ key: from.key, path: from.key }]
    const name = VOLUMES[volume]
    volumes.push(
      from.kind === 'secret'
        ? { name, secret: { secretName: from.name, items } }
        : { name, configMap: { name: from.name, items } }
    )
    mounts.push({ name, mountPath: MOUNTS[volume], readOnly: true })
  }
  add('kafkaConfig', kafkaConfig)
  add('kafkaCa', settings.kafka.ca)
  return { volumes, mounts }
}

const MI = 2 ** 20
/** Beside the journal's bound: what is set aside as damaged (an eighth of it), locks and indexes. */
const JOURNAL_FACTOR = 1.25
const SPARE_BYTES = 32 * MI

function journalVolume(settings: Settings, options: Options): Volume {
  const chosen = options['journal-volume'] ?? EMPTY_DIR
  const spec = settings.journal.claimTemplates[chosen]
  if (spec !== undefined) {
    return { name: VOLUMES.journal, ephemeral: { volumeClaimTemplate: spec as unknown as ClaimTemplate } }
  }
  return { name: VOLUMES.journal, emptyDir: { sizeLimit: settings.journal.sizeLimit ?? sizeLimit(options) } }
}

type ClaimTemplate = NonNullable<NonNullable<Volume['ephemeral']>['volumeClaimTemplate']>

/** A pod is evicted when its emptyDir passes the limit: it has to hold whatever the sidecar may write. */
function sizeLimit(options: Options): string {
  const bytes =
    (options['journal-max-bytes'] ?? 0) * JOURNAL_FACTOR + (options['dead-letter-max-bytes'] ?? 0) + SPARE_BYTES
  return `${Math.ceil(bytes / MI)}Mi`
}
