import { after, before } from 'node:test'
import { Helm } from './helm.ts'
import { helmBuildTimeoutMs } from './tools.ts'

/**
 * Gives a suite its Helm, built where there is none, and takes it away in the end.
 * @returns asked by a test, not while the suite is being described
 */
export function helmOfSuite(): () => Helm {
  let helm: Helm | undefined
  before(
    async () => {
      helm = await Helm.create()
    },
    { timeout: helmBuildTimeoutMs }
  )
  after(() => helm?.close())
  return () => {
    if (helm === undefined) throw new Error('there is no Helm before the suite has begun')
    return helm
  }
}
