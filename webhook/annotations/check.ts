import type { EnvVar } from 'kubernetes-types/core/v1.js'
import { parseConfig } from '../../sidecar/config/config.ts'
import { ConfigError, type Mistake } from '../../sidecar/config/errors.ts'

/** What the kubelet fills in is right, whatever it is. */
const FROM_THE_KUBELET = 'x'

/**
 * Checks an environment as the sidecar itself will: values that are right alone and wrong together would stop its start,
 * and with it the pod's.
 * @returns what would stop it; librdkafka's properties are not looked at, since the settings' check did
 */
export function environmentMistakes(env: readonly EnvVar[]): readonly Mistake[] {
  try {
    parseConfig('sidecar', {
      env: Object.fromEntries(env.map(({ name, value }) => [name, value ?? FROM_THE_KUBELET])),
      readFile: () => '',
      checkProperty: () => ({ level: 'global' }),
      reserved: new Map()
    })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes
  }
}
