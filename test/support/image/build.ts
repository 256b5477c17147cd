import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Engine, RunOptions } from './engine.ts'

/** Copies what git would take from the tree, committed or not: local modules and compiled files stay behind. */
async function exportTree(engine: Engine, tree: string, target: string): Promise<void> {
  const listed = await engine.run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: tree
  })
  const folders = new Set<string>()
  for (const file of new Set(listed.split('\0'))) {
    // A file that is deleted but not committed is still listed.
    const found = file === '' ? undefined : await stat(join(tree, file)).catch(() => undefined)
    if (found?.isFile() !== true) continue
    const folder = dirname(join(target, file))
    if (!folders.has(folder)) await mkdir(folder, { recursive: true })
    folders.add(folder)
    await copyFile(join(tree, file), join(target, file))
  }
}

/**
 * Writes this machine's npm settings in the form of npm's global configuration. The build sees the folder mounted at
 * /usr/local/etc, so nothing of it gets into the Dockerfile or the image.
 */
async function npmSettings(engine: Engine, tree: string, folder: string): Promise<void> {
  const get = async (key: string): Promise<string | undefined> => {
    const value = (await engine.run('npm', ['config', 'get', key], { cwd: tree })).trim()
    return value === '' || value === 'null' || value === 'undefined' ? undefined : value
  }
  await mkdir(folder)
  const lines: string[] = []
  const registry = await get('registry')
  if (registry !== undefined) lines.push(`registry=${registry}`)
  const authorities = (await get('cafile')) ?? process.env['NODE_EXTRA_CA_CERTS']
  if (authorities !== undefined && authorities !== '') {
    await writeFile(join(folder, 'authorities.pem'), await readFile(authorities))
    lines.push('cafile=/usr/local/etc/authorities.pem')
  }
  await writeFile(join(folder, 'npmrc'), lines.map(line => `${line}\n`).join(''))
}

/** Builds the tree's Dockerfile as a fresh clone would, and gives the image's id. Unchanged layers come from the store. */
export async function buildImage(engine: Engine, tree: string, options: RunOptions = {}): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'inference-logger-image-'))
  try {
    const context = join(scratch, 'context')
    const settings = join(scratch, 'npm')
    const idFile = join(scratch, 'id')
    await exportTree(engine, tree, context)
    await npmSettings(engine, tree, settings)
    // force-rm: a failed build would leave the container of its last step mounted.
    const flags = [
      '--layers',
      '--force-rm',
      '--pull=never',
      '--network=host',
      '--isolation=chroot',
      '--iidfile',
      idFile
    ]
    const mount = `${settings}:/usr/local/etc:ro`
    const tag = 'localhost/inference-logger:test'
    await engine.run('buildah', ['bud', ...flags, '--volume', mount, '--tag', tag, context], options)
    // Layers of earlier trees would pile up: the compiled ones have half a gigabyte each.
    await engine.run('podman', ['image', 'prune', '--force', '--filter', 'until=336h'], options)
    return (await readFile(idFile, 'utf8')).trim()
  } finally {
    await rm(scratch, { recursive: true })
  }
}
