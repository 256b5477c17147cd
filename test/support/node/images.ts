import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildImage, type Engine, ensureBase, openEngine } from '../image/index.ts'
import { repositoryRoot } from '../kafka/index.ts'

/** Names of the images as pods give them; nothing else is on the node, and nothing can be pulled. */
export const images = {
  project: 'localhost/inference-logger:test',
  /** A model and KServe's agent: `node` is its entry point. */
  standIns: 'localhost/inference-logger-stand-ins:test',
  /** Holds a pod's namespaces. */
  pause: 'localhost/inference-logger-pause:test'
} as const

/** Paths of the stand-ins' programs in their image. */
export const programs = {
  model: '/stand-ins/node/stand-ins/model.js',
  agent: '/stand-ins/node/stand-ins/agent.js'
} as const

/**
 * Builds the project's image from its Dockerfile, as the image tier does and in the same store, and the stand-ins' from
 * what is compiled beside this file. Unchanged layers come from the store: seconds, or minutes when it is empty.
 * @param archive where all of them are written to, as `ctr images import` takes it
 */
export async function saveImages(archive: string, signal: AbortSignal): Promise<void> {
  const engine = await openEngine()
  await ensureBase(engine, { signal })
  await buildImage(engine, repositoryRoot(), { signal })
  await buildStandIns(engine, signal)
  const flags = ['--quiet', '--format=docker-archive', '--multi-image-archive', `--output=${archive}`]
  await engine.run('podman', ['save', ...flags, ...Object.values(images)], { signal })
}

async function buildStandIns(engine: Engine, signal: AbortSignal): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'inference-logger-stand-ins-'))
  try {
    const compiled = dirname(import.meta.dirname)
    for (const folder of ['kserve-agent', join('node', 'stand-ins')]) {
      await mkdir(dirname(join(context, folder)), { recursive: true })
      await cp(join(compiled, folder), join(context, folder), { recursive: true })
    }
    await writeFile(join(context, 'package.json'), '{"type":"module"}')
    const containerfile = join(repositoryRoot(), 'test', 'support', 'node', 'stand-ins', 'Containerfile')
    const flags = ['--layers', '--force-rm', '--pull=never', '--network=host', '--isolation=chroot']
    for (const [target, tag] of [
      ['pause', images.pause],
      ['stand-ins', images.standIns]
    ]) {
      const args = ['bud', ...flags, `--file=${containerfile}`, `--target=${target}`, `--tag=${tag}`, context]
      await engine.run('buildah', args, { signal })
    }
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}
