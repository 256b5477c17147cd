import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine, RunOptions } from './engine.ts'

/** What the stand-in is called in the image store; a Dockerfile that says `node:24-bookworm-slim` finds it. */
export const baseName = 'localhost/node:24-bookworm-slim'

const nodeMajor = 24
const npmMajor = 11
const suite = 'bookworm'

// Part of the stand-in's label: raise it when the recipe below changes, so that cached ones are made anew.
const recipe = '1'
const recipeLabel = 'inference-logger.test.recipe'
const maxAgeMs = 30 * 24 * 3600 * 1000

interface Source {
  uri: string
  release: string
}

/** The Debian archive as this machine reaches it; none when it is no Debian of the suite, then debootstrap has its own. */
async function debianSources(engine: Engine): Promise<Source[]> {
  const format = ['$(REPO_URI)', '$(RELEASE)', '$(COMPONENT)'].join(' ')
  const targets = await engine
    .run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])
    .catch(() => '')
  const sources: Source[] = []
  for (const line of new Set(targets.split('\n'))) {
    const [uri, release, component] = line.split(' ')
    if (uri === undefined || release === undefined || component !== 'main') continue
    if ([suite, `${suite}-updates`, `${suite}-security`].includes(release)) sources.push({ uri, release })
  }
  return sources
}

/** Unpacks the newest package of a range from the npm registry into a folder. */
async function unpackNpm(engine: Engine, spec: string, folder: string, options: RunOptions): Promise<void> {
  const scratch = await mkdtemp(join(engine.cache, 'pack-'))
  try {
    await engine.run('npm', ['pack', '--silent', spec], { ...options, cwd: scratch })
    const [archive] = await readdir(scratch)
    if (archive === undefined) throw new Error(`npm packed nothing for ${spec}`)
    await mkdir(folder, { recursive: true })
    await engine.run('tar', ['-xzf', join(scratch, archive), '-C', folder, '--strip-components=1'], options)
  } finally {
    await rm(scratch, { recursive: true })
  }
}

/** Debian as its slim image has it: the smallest variant, without documentation and translations. */
async function makeDebian(engine: Engine, root: string, options: RunOptions): Promise<void> {
  const sources = await debianSources(engine)
  const mirror = sources.find(({ release }) => release === suite)?.uri
  // Node's binary needs these two, and the real image has them for the same reason.
  const include = '--include=libstdc++6,libatomic1'
  await engine.run(
    'debootstrap',
    ['--variant=minbase', include, suite, root, ...(mirror === undefined ? [] : [mirror])],
    options
  )
  if (sources.length > 0) {
    const lines = sources.map(({ uri, release }) => `deb ${uri} ${release} main\n`)
    await writeFile(join(root, 'etc/apt/sources.list'), lines.join(''))
  }
  const left = ['usr/share/doc', 'usr/share/man', 'usr/share/locale']
  await writeFile(join(root, 'etc/dpkg/dpkg.cfg.d/slim'), left.map(folder => `path-exclude /${folder}/*\n`).join(''))
  await writeFile(join(root, 'etc/apt/apt.conf.d/slim'), 'Acquire::Languages "none";\n')
  for (const folder of [...left, 'var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
    const path = join(root, folder)
    await rm(path, { recursive: true, force: true })
    await mkdir(path, { recursive: true })
  }
}

/** Node, its headers and npm where the real image has them. */
async function addNode(engine: Engine, root: string, options: RunOptions): Promise<void> {
  const local = join(root, 'usr/local')
  const unpacked = join(root, 'node')
  await unpackNpm(engine, `node-linux-${process.arch}@${nodeMajor}`, unpacked, options)
  await cp(join(unpacked, 'bin/node'), join(local, 'bin/node'))
  await cp(join(unpacked, 'include'), join(local, 'include'), { recursive: true })
  await rm(unpacked, { recursive: true })
  const architectures = join(local, 'include/node/openssl/archs')
  for (const name of await readdir(architectures)) {
    if (name !== (process.arch === 'x64' ? 'linux-x86_64' : 'linux-aarch64')) {
      await rm(join(architectures, name), { recursive: true })
    }
  }
  await unpackNpm(engine, `npm@${npmMajor}`, join(local, 'lib/node_modules/npm'), options)
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name))
  }
}

async function isFresh(engine: Engine): Promise<boolean> {
  const found = await engine.run('podman', ['image', 'inspect', baseName]).catch(() => '[]')
  const [base] = JSON.parse(found) as { Labels: Record<string, string> | null; Created: string }[]
  return base?.Labels?.[recipeLabel] === recipe && Date.now() - Date.parse(base.Created) < maxAgeMs
}

/**
 * Makes a stand-in for the image that the Dockerfile starts from, out of Debian's and npm's packages, where no registry
 * of images can be reached. It stays in the store for a month; true says that it was made now.
 */
export async function ensureBase(engine: Engine, options: RunOptions = {}): Promise<boolean> {
  if (await isFresh(engine)) return false
  const scratch = await mkdtemp(join(engine.cache, 'base-'))
  try {
    const root = join(scratch, 'root')
    await makeDebian(engine, root, options)
    await addNode(engine, root, options)
    const archive = join(scratch, 'base.tar')
    await engine.run('tar', ['-C', root, '-cf', archive, '.'], options)
    const changes = [
      'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      `LABEL ${recipeLabel}=${recipe}`,
      'CMD ["node"]'
    ]
    const flags = changes.flatMap(change => ['--change', change])
    await engine.run('podman', ['import', '--quiet', ...flags, archive, baseName], options)
  } finally {
    // debootstrap unmounts what it mounted, also when it fails: --one-file-system makes sure that it did.
    await engine.run('rm', ['-rf', '--one-file-system', scratch])
  }
  return true
}
