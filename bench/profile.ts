import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Ledger, measure, type LoadGenerator } from './measure.ts'
import type { LoadOrder } from './load.ts'
import { processCpuUs, threadCpuUs } from './process-stats.ts'
import { table } from './report.ts'
import { startSidecar, type SidecarOptions } from './sinks.ts'

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

const shown = 25

/**
 * Profiles the sidecar's main thread under load, after a warm-up, and sums up what each thread used.
 *
 * @returns the report as text
 * @throws Error when the sidecar does not start or no profile comes
 */
export async function profileSidecar(
  options: SidecarOptions,
  load: LoadGenerator,
  order: Omit<LoadOrder, 'url' | 'any2xx'>
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'inference-logger-profile-'))
  const file = join(folder, 'main.cpuprofile')
  const hook = fileURLToPath(new URL('./profile-hook.js', import.meta.url))
  const sink = await startSidecar({
    ...options,
    nodeArgs: [...options.nodeArgs, '--import', pathToFileURL(hook).href],
    env: { BENCH_PROFILE_FILE: file }
  }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  try {
    const ledger = new Ledger()
    await measure(sink, load, ledger, { ...order, seconds: Math.min(3, order.seconds) })
    const before = threadCpuUs(sink.pid)
    const cpuBefore = processCpuUs(sink.pid)
    process.kill(sink.pid, 'SIGUSR2')
    const round = await measure(sink, load, ledger, order)
    const threads = threadCpuUs(sink.pid)
    const cpuUs = processCpuUs(sink.pid) - cpuBefore
    process.kill(sink.pid, 'SIGUSR2')
    for (let waited = 0; !existsSync(file) && waited < 10_000; waited += 50) await sleep(50)
    await sleep(200)
    const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
    const perEvent = (us: number) => (us / round.events).toFixed(2)
    const used = [...threads]
      .map(([name, us]) => ({ name, us: us - (before.get(name) ?? 0) }))
      .filter(({ us }) => us > 0)
      .sort((a, b) => b.us - a.us)
    const { functions, modules, totalUs } = selfTimes(profile)
    const share = (us: number) => `${((us / totalUs) * 100).toFixed(1)} %`
    const rows = (times: Map<string, number>) =>
      [...times]
        .sort((a, b) => b[1] - a[1])
        .slice(0, shown)
        .map(([name, us]) => [name, perEvent(us), share(us)])
    return [
      `${round.events} events at ${round.eventsPerSecond.toFixed(0)}/s with the profiler on, ${perEvent(cpuUs)} us each`,
      ...round.failures,
      '\nCPU by thread (all of it)',
      table([['thread', 'us/event'], ...used.map(({ name, us }) => [name, perEvent(us)])]),
      '\nself time of the main thread by module, without idle time',
      table([['module', 'us/event', 'share'], ...rows(modules)]),
      '\nself time of the main thread by function',
      table([['function', 'us/event', 'share'], ...rows(functions)])
    ].join('\n')
  } finally {
    await sink.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function selfTimes(profile: CpuProfile): {
  functions: Map<string, number>
  modules: Map<string, number>
  totalUs: number
} {
  const nodes = new Map(profile.nodes.map(node => [node.id, node.callFrame]))
  const functions = new Map<string, number>()
  const modules = new Map<string, number>()
  let totalUs = 0
  profile.samples.forEach((id, index) => {
    const frame = nodes.get(id)
    if (!frame || frame.functionName === '(idle)') return
    // a sample stands for the time until the next one
    const us = profile.timeDeltas[index + 1] ?? 0
    const place = moduleOf(frame.url)
    const name =
      frame.url === '' ? frame.functionName : `${frame.functionName || '(anonymous)'} ${place}:${frame.lineNumber + 1}`
    functions.set(name, (functions.get(name) ?? 0) + us)
    const module = frame.url === '' ? (frame.functionName.startsWith('(') ? frame.functionName : '(native)') : place
    modules.set(module, (modules.get(module) ?? 0) + us)
    totalUs += us
  })
  return { functions, modules, totalUs }
}

function moduleOf(url: string): string {
  const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+\/.*)$/.exec(url)
  if (packaged?.[1] !== undefined) return packaged[1]
  const root = new URL('..', import.meta.url).href
  return url.startsWith(root) ? url.slice(root.length) : url
}
