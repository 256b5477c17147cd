import type { Metrics } from '../sidecar-process.ts'

/** Cumulative counts by upper bound, ascending; the last is all of them. */
export type Buckets = [bound: number, count: number][]

/** Buckets of a Prometheus histogram, summed over all samples whose labels contain each of `labels`. */
export function bucketsOf(metrics: Metrics, name: string, labels: readonly string[] = []): Buckets {
  const counts = new Map<number, number>()
  for (const [sample, count] of metrics) {
    if (!sample.startsWith(`${name}_bucket{`) || !labels.every(label => sample.includes(label))) continue
    const bound = /le="([^"]+)"/.exec(sample)?.[1] ?? ''
    const key = bound === '+Inf' ? Infinity : Number(bound)
    counts.set(key, (counts.get(key) ?? 0) + count)
  }
  return [...counts].sort(([a], [b]) => a - b)
}

/** What came between two scrapes. */
export function since(before: Buckets, after: Buckets): Buckets {
  const earlier = new Map(before)
  return after.map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)])
}

/** An upper bound of a quantile: that of its bucket. */
export function quantile(buckets: Buckets, q: number): number {
  const total = buckets.at(-1)?.[1] ?? 0
  return buckets.find(([, count]) => count >= total * q)?.[0] ?? NaN
}
