import { interpolate, type Dashboard } from '../../test/support/prometheus/dashboard.ts'
import type { Prometheus, Series } from '../../test/support/prometheus/prometheus.ts'

/** What Prometheus said to every query of the dashboard. */
export interface Answers {
  /** ms since 1970. */
  readonly from: number
  readonly to: number
  readonly scrapeIntervalMs: number
  /** By a panel's id and a query's refId. */
  readonly panels: Readonly<Record<string, Readonly<Record<string, readonly Series[]>>>>
  /** Times at which a logger was restarted, ms since 1970. */
  readonly restarts: readonly number[]
}

/** Points of a line. */
const POINTS = 120

/** Asks Prometheus what Grafana would. */
export async function ask(
  prometheus: Prometheus,
  dashboard: Dashboard,
  times: { readonly from: Date; readonly to: Date; readonly scrapeIntervalMs: number }
): Promise<Answers> {
  const { from, to, scrapeIntervalMs } = times
  const seconds = (to.getTime() - from.getTime()) / 1000
  const step = Math.max(scrapeIntervalMs / 1000, seconds / POINTS)
  // Grafana: at least four scrapes, so that there is always an increase.
  const rateInterval = `${Math.ceil((4 * scrapeIntervalMs) / 1000)}s`
  const fill = (expression: string): string =>
    interpolate(expression, { rateInterval, range: `${Math.round(seconds)}s` })
  const panels: Record<string, Record<string, Series[]>> = {}
  for (const { id, targets = [] } of dashboard.panels) {
    const answers: Record<string, Series[]> = {}
    for (const { refId, expr, instant } of targets) {
      answers[refId] = instant
        ? await prometheus.query(fill(expr), to)
        : await prometheus.queryRange(fill(expr), from, to, step)
    }
    panels[id] = answers
  }
  return { from: from.getTime(), to: to.getTime(), scrapeIntervalMs, panels, restarts: await restarts() }

  async function restarts(): Promise<number[]> {
    const annotation = dashboard.annotations.list.find(({ name }) => name === 'Restarts')?.expr
    if (annotation === undefined) return []
    const series = await prometheus.queryRange(fill(annotation), from, to, step)
    // The condition holds for a while; where it begins is the restart.
    return series.flatMap(({ points }) =>
      points
        .map(([time]) => time * 1000)
        .filter((time, index, all) => index === 0 || time - (all[index - 1] ?? 0) > 2 * step * 1000)
    )
  }
}
