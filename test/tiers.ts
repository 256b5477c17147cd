/** A group of tests that needs the same tools. Where they are missing, its suites skip themselves by name; with CI=true they fail. */
export interface Tier {
  readonly name: string
  /** Folders below test/ whose *.test.js belong to it; the fast tier has all that no other names. */
  readonly folders: readonly string[]
}

/** Every tier, fastest first. */
export const tiers: readonly Tier[] = [
  { name: 'fast', folders: [] },
  { name: 'kafka', folders: ['kafka'] },
  { name: 'crash', folders: ['crash'] },
  { name: 'image', folders: ['image'] },
  { name: 'kubernetes', folders: ['kubernetes'] },
  { name: 'node', folders: ['node'] },
  { name: 'chart', folders: ['chart'] }
]
