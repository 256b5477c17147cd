import { setTimeout as sleep } from 'node:timers/promises'
import { type Metrics, type SidecarProcess, total } from '../sidecar-process.ts'

const sources = ['received_total', 'replayed_total']
const ends = ['delivered_total', 'pending', 'dead_lettered_total', 'dropped_total']

/** What is wrong with received + replayed = delivered + pending + dead-lettered + dropped; undefined when nothing is. */
export function conservationViolation(metrics: Metrics): string | undefined {
  const count = (name: string): number => total(metrics, `inference_logger_events_${name}`)
  const sum = (names: string[]): number => names.reduce((before, name) => before + count(name), 0)
  if (sum(sources) === sum(ends)) return undefined
  const text = (names: string[]): string => names.map(name => `${name} ${count(name)}`).join(' + ')
  return `${text(sources)} is not ${text(ends)}`
}

/** Counters that say that an accepted event was given up: without a fault of the disk or of the event there is no reason to. */
const givingUp = ['events_dropped_total', 'events_dead_lettered_total', 'journal_quarantined_total']

/** Scrapes of a process, as long as it lives. */
export interface Watch {
  scrapes: number
  violations: string[]
  /** Samples that count what was given up and are not 0, as last seen. */
  givenUp: Map<string, number>
  /** The last scrape that succeeded. */
  last: Metrics
  /** Resolves when the process has ended. */
  ended: Promise<void>
}

/** Scrapes a sidecar that is ready, every `everyMs`, until it dies. */
export function watchConservation(sidecar: SidecarProcess, everyMs = 100): Watch {
  const watch: Watch = { scrapes: 0, violations: [], givenUp: new Map(), last: new Map(), ended: Promise.resolve() }
  let alive = true
  void sidecar.exited.then(() => (alive = false))
  const scrape = async (): Promise<void> => {
    while (alive) {
      try {
        watch.last = await sidecar.metrics()
        watch.scrapes++
        const violation = conservationViolation(watch.last)
        if (violation !== undefined) watch.violations.push(violation)
        for (const [sample, value] of watch.last) {
          if (value > 0 && givingUp.some(name => sample.startsWith(`inference_logger_${name}`))) {
            watch.givenUp.set(sample, value)
          }
        }
      } catch {
        // It died under the question, or is about to.
      }
      await Promise.race([sleep(everyMs), sidecar.exited])
    }
  }
  watch.ended = scrape()
  return watch
}
