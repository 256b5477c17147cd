/** Digits that are left: a tenth of a pixel is enough. */
const SCALE = 10

/**
 * Writes a path of straight lines shorter: relative, rounded, and without points in the middle of a horizontal line. One with
 * other commands stays as it is.
 * @param d the attribute of an SVG path
 */
export function compactPath(d: string): string {
  if (!/^[MLZ\d\s.,e-]*$/.test(d)) return d
  return [...d.matchAll(/M([^MZ]*)(Z?)/g)].map(([, points = '', end = '']) => part(points, end)).join('')
}

function part(text: string, end: string): string {
  const numbers = [...text.matchAll(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g)].map(([number]) =>
    Math.round(Number(number) * SCALE)
  )
  const points = Array.from({ length: numbers.length / 2 }, (_, index) => numbers.slice(2 * index, 2 * index + 2))
  const kept = points.filter(([, y], index) => {
    const [before, after] = [points[index - 1], points[index + 1]]
    return before === undefined || after === undefined || before[1] !== y || after[1] !== y
  })
  const [first = [0, 0], ...others] = kept
  let [x = 0, y = 0] = first
  const steps = others.map(([nextX = 0, nextY = 0]) => {
    const step = pair(nextX - x, nextY - y)
    ;[x, y] = [nextX, nextY]
    return step
  })
  return `M${pair(first[0] ?? 0, first[1] ?? 0)}${steps.length > 0 ? 'l' : ''}${join(steps)}${end}`
}

function pair(x: number, y: number): string {
  return join([plain(x), plain(y)])
}

/** A minus separates as well as a space. */
function join(parts: readonly string[]): string {
  return parts.map((each, index) => (index === 0 || each.startsWith('-') ? each : ` ${each}`)).join('')
}

function plain(value: number): string {
  return String(value / SCALE).replace(/^(-?)0\./, '$1.')
}
