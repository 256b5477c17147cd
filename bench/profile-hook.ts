import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

// Preloaded into the sidecar: SIGUSR2 starts the CPU profile, the next SIGUSR2 writes it. Unlike --cpu-prof it leaves
// start-up, warm-up and shutdown out, and does not depend on how the process ends.
const file = process.env['BENCH_PROFILE_FILE'] ?? 'bench.cpuprofile'
const session = new Session()
let profiling = false

async function toggle(): Promise<void> {
  if (profiling) {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(file, JSON.stringify(profile))
    return
  }
  profiling = true
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 250 })
  await session.post('Profiler.start')
}

process.on('SIGUSR2', () => void toggle())
