const jobs = new Set<() => void>()

function runAll(): void {
  for (const job of jobs) job()
  jobs.clear()
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    runAll()
    process.kill(process.pid, signal)
  })
}
process.once('exit', runAll)

/**
 * Has something done when this process ends, also by a signal: what it started must not outlive it.
 * @param job synchronous, and harmless when it is done twice
 * @returns does it now instead
 */
export function atEnd(job: () => void): () => void {
  jobs.add(job)
  return () => {
    if (jobs.delete(job)) job()
  }
}
