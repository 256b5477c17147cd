import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const kafkaVersion = '4.1.0'
const javaNeeded = 17

/** What starts a Java program of the harness: arguments are `-cp <classPath> <main class>`. */
export interface KafkaTools {
  java: string
  classPath: string
}

/**
 * The tools that the real Kafka needs and this machine lacks, each with what to install; empty when everything is there.
 * Synchronous, because a test's `skip` option must be known when the test is declared.
 */
export function missingKafkaTools(): string[] {
  const missing: string[] = []
  const javac = output('javac', '-version')
  const version = Number(/javac (\d+)/.exec(javac ?? '')?.[1] ?? 0)
  if (javac === undefined) missing.push('javac (Debian: openjdk-17-jdk-headless)')
  else if (version < javaNeeded) missing.push(`Java ${javaNeeded} or later, found ${javac}`)
  if (output('mvn', '--version') === undefined) missing.push('mvn (Debian: maven)')
  return missing
}

/**
 * Kafka's jars and the compiled probe, from the cache or made now: downloads take some ten seconds, once per version.
 * Rejects with Maven's or the compiler's own message.
 */
export async function kafkaTools(): Promise<KafkaTools> {
  const cache = join(
    process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
    'inference-logger',
    `kafka-${kafkaVersion}`
  )
  const libs = await cached(join(cache, 'libs'), async folder => {
    // Maven writes beside its pom, and the source tree stays as it is.
    const pom = join(dirname(folder), `${basename(folder)}.pom.xml`)
    await copyFile(sourceFile('pom.xml'), pom)
    try {
      await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`])
    } finally {
      await rm(pom, { force: true })
    }
  })
  const source = sourceFile('Probe.java')
  const digest = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
  const classes = await cached(join(cache, `probe-${digest.slice(0, 12)}`), async folder => {
    await run('javac', ['-nowarn', '-cp', join(libs, '*'), '-d', folder, source])
  })
  return { java: 'java', classPath: `${classes}:${join(libs, '*')}` }
}

/** The nearest folder above this file that holds the package's sources: compiled tests run from dist/. */
export function repositoryRoot(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'test', 'support', 'kafka', 'Probe.java'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`no source tree above ${import.meta.dirname}`)
    folder = parent
  }
  return folder
}

function sourceFile(name: string): string {
  return join(repositoryRoot(), 'test', 'support', 'kafka', name)
}

/** `folder`, filled by `fill` if it is not there: whole or not at all, also when two test files want it at once. */
async function cached(folder: string, fill: (folder: string) => Promise<void>): Promise<string> {
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const temporary = await mkdtemp(`${folder}.tmp-`)
  try {
    await fill(temporary)
    await rename(temporary, folder)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

function output(command: string, argument: string): string | undefined {
  try {
    return execFileSync(command, [argument], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
