import { Counter, Gauge, type Registry } from 'prom-client'
import type { Tally } from './ledger.ts'

/** Sets a metric to what it is at this moment: one number, or one per value of its label. */
export type Setter = (value: number | Tally) => void

/** Registers a counter that is read from elsewhere: a scrape sets it. */
export function counter(registry: Registry, name: string, help: string, label?: string): Setter {
  const metric = new Counter({ name, help, labelNames: label === undefined ? [] : [label], registers: [registry] })
  return value => {
    metric.reset()
    if (typeof value === 'number') metric.inc(value)
    else if (label !== undefined) for (const [key, n] of Object.entries(value)) metric.inc({ [label]: key }, n)
  }
}

/** Registers a gauge that is read from elsewhere: a scrape sets it. */
export function gauge(registry: Registry, name: string, help: string, label?: string): Setter {
  const metric = new Gauge({ name, help, labelNames: label === undefined ? [] : [label], registers: [registry] })
  return value => {
    metric.reset()
    if (typeof value === 'number') metric.set(value)
    else if (label !== undefined) for (const [key, n] of Object.entries(value)) metric.set({ [label]: key }, n ?? 0)
  }
}
