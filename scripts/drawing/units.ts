const SECONDS: readonly (readonly [number, string])[] = [
  [604_800, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs']
]
const BYTES: readonly (readonly [number, string])[] = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'B']
]
const COUNTS: readonly (readonly [number, string])[] = [
  [1e6, 'Mil'],
  [1e3, 'K'],
  [1, '']
]

/** Writes a value as Grafana does, three digits or so. @param unit Grafana's name of it */
export function format(value: number, unit: string, decimals?: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '' : '∞'
  if (unit === 'percentunit') return `${digits(value * 100, decimals ?? (value > 0 && value < 0.1 ? 1 : 0))} %`
  if (unit === 'locale') return value.toLocaleString('en-US', { maximumFractionDigits: decimals ?? 2 })
  if (unit === 's') return scaled(value, SECONDS, decimals)
  if (unit === 'bytes') return scaled(value, BYTES, decimals)
  if (unit === 'binBps') return `${scaled(value, BYTES, decimals)}/s`
  return scaled(value, COUNTS, decimals)
}

function scaled(value: number, scales: readonly (readonly [number, string])[], decimals?: number): string {
  const least = scales.at(-1) ?? [1, '']
  const one = scales.find(([size]) => size === 1) ?? least
  const [size, name] = value === 0 ? one : (scales.find(([each]) => Math.abs(value) >= each * 0.9995) ?? least)
  const number = value / size
  const shown = digits(
    number,
    decimals ?? (Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : Math.abs(number) < 0.1 ? 3 : 2)
  )
  return `${shown} ${name}${/^(?:hour|day|week)$/.test(name) && shown !== '1' ? 's' : ''}`.trim()
}

/** Without the zeros at the end. */
function digits(value: number, decimals: number): string {
  return String(Number(value.toFixed(decimals)))
}
