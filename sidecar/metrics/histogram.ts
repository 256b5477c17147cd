import type { Metric, Registry } from 'prom-client'

/**
 * A histogram without labels that costs next to nothing to observe. prom-client's own looks a label set up and hashes it
 * for each value: 1.5 µs an event for the two on the hot path, a twentieth of everything.
 */
export class PlainHistogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  /** @param bounds upper bounds of the buckets, ascending, without +Inf */
  constructor(registry: Registry, name: string, help: string, bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
    // What a registry asks of a metric is its name and get(), whatever prom-client's type says.
    const metric = {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      get: () => this.#expose(name, help),
      reset: () => {}
    }
    registry.registerMetric(metric as unknown as Metric)
  }

  /** Counts one value. */
  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? Infinity)) bucket++
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += value
  }

  #expose(name: string, help: string): Promise<object> {
    let count = 0
    const buckets = [...this.#counts].map((inBucket, index) => {
      count += inBucket
      return { labels: { le: this.#bounds[index] ?? '+Inf' }, value: count, metricName: `${name}_bucket` }
    })
    const values = [
      ...buckets,
      { labels: {}, value: this.#sum, metricName: `${name}_sum` },
      { labels: {}, value: count, metricName: `${name}_count` }
    ]
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values })
  }
}
