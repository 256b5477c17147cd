import { init, type EChartsOption } from 'echarts'
import type { FieldDefaults, Panel } from '../../test/support/prometheus/dashboard.ts'
import type { Series } from '../../test/support/prometheus/prometheus.ts'
import { compactPath } from './path.ts'
import { colourOf, colours, fit, palette, rectangle, round, text, widthOf, type Box } from './svg.ts'
import { format } from './units.ts'

/** What a chart shows beside its panel's own. */
export interface ChartTimes {
  readonly from: number
  readonly to: number
  readonly restarts: readonly number[]
}

interface Line {
  readonly name: string
  readonly colour: string
  readonly right: boolean
  readonly filled: boolean
  readonly points: readonly (readonly [number, number | null])[]
}

const LEGEND_SIZE = 11
const LEGEND_LINE = 16

/** Draws a time series panel's inside. @returns SVG */
export function drawChart(
  panel: Panel,
  answers: Readonly<Record<string, readonly Series[]>>,
  box: Box,
  times: ChartTimes
): string {
  const defaults = defaultsOf(panel)
  const lines = linesOf(panel, answers, times)
  if (lines.length === 0) {
    const style = { size: 14, colour: colourOf('faint'), anchor: 'middle' } as const
    return text(box.x + box.width / 2, box.y + box.height / 2, defaults.noValue ?? 'No data', style)
  }
  const legend = layOut(lines, box.width - 8)
  const chartBox = { ...box, height: box.height - legend.height - 4 }
  const keys = legend.entries.map(({ x, y, line, label }) => {
    const at = { x: box.x + 4 + x, y: chartBox.y + chartBox.height + y + 4 }
    return (
      rectangle({ x: at.x, y: at.y + 5, width: 12, height: 3 }, line.colour, undefined, 1) +
      text(at.x + 16, at.y + 11, label, { size: LEGEND_SIZE, colour: colourOf('text') })
    )
  })
  return plot(panel, lines, chartBox, times) + keys.join('')
}

/** A line without axes, at the foot of a tile. @returns SVG */
export function drawSparkline(series: readonly Series[], colour: string, box: Box): string {
  const points = (series[0]?.points ?? []).filter(([, value]) => Number.isFinite(value))
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined || first === last) return ''
  const highest = Math.max(...points.map(([, value]) => value), 1e-9)
  const x = (time: number): number => box.x + ((time - first[0]) / (last[0] - first[0])) * box.width
  const y = (value: number): number => box.y + box.height - (value / highest) * box.height
  const path = points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const [left, right, foot] = [box.x, box.x + box.width, box.y + box.height].map(value => value.toFixed(1))
  return (
    `<polygon points="${left},${foot} ${path} ${right},${foot}" fill="${colour}" fill-opacity="0.15"/>` +
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-opacity="0.7"/>`
  )
}

/** The options of a panel's fields. */
export function defaultsOf(panel: Panel): FieldDefaults {
  if (panel.fieldConfig === undefined) throw new Error(`${panel.title} has no field options`)
  return panel.fieldConfig.defaults
}

function linesOf(panel: Panel, answers: Readonly<Record<string, readonly Series[]>>, { from, to }: ChartTimes): Line[] {
  const overrides = panel.fieldConfig?.overrides ?? []
  const right = new Set(
    overrides
      .filter(({ properties }) =>
        properties.some(({ id, value }) => id === 'custom.axisPlacement' && value === 'right')
      )
      .map(({ matcher }) => matcher.options)
  )
  const fixed = (name: string): string | undefined =>
    overrides
      .filter(({ matcher }) => matcher.id === 'byName' && matcher.options === name)
      .flatMap(({ properties }) => properties)
      .map(({ id, value }) => (id === 'color' ? (value as { fixedColor: string }).fixedColor : undefined))
      .find(colour => colour !== undefined)
  const hollow = new Set(
    overrides
      .filter(({ properties }) => properties.some(({ id, value }) => id === 'custom.fillOpacity' && value === 0))
      .map(({ matcher }) => matcher.options)
  )
  const found = (panel.targets ?? []).flatMap(({ refId, legendFormat }) =>
    (answers[refId] ?? []).map(({ labels, points }) => ({
      name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_all, label: string) => labels[label] ?? ''),
      right: right.has(refId),
      points: withGaps(points, from, to)
    }))
  )
  // What has no value must not take away what is stacked upon it.
  const stacked = panel.fieldConfig?.defaults.custom?.stacking?.mode === 'normal'
  return aligned(found, stacked ? 0 : null)
    .filter(({ points }) => points.some(([, value]) => value !== null))
    .map((line, index) => {
      const own = fixed(line.name)
      const filled = !line.right && !hollow.has(line.name)
      return { ...line, filled, colour: own === undefined ? (palette[index % palette.length] ?? '') : colourOf(own) }
    })
}

/** All with the same times: what is stacked is stacked by position. */
function aligned<T extends Pick<Line, 'points'>>(lines: readonly T[], missing: number | null): T[] {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b)
  return lines.map(line => {
    const values = new Map(line.points)
    return { ...line, points: times.map(time => [time, values.get(time) ?? missing] as const) }
  })
}

/** Where there is no value there is no line either. */
function withGaps(points: Series['points'], from: number, to: number): [number, number | null][] {
  const steps = points.slice(1).map(([time], index) => time - (points[index]?.[0] ?? 0))
  const step = Math.min(...steps, (to - from) / 1000)
  const line: [number, number | null][] = []
  let before: number | undefined
  for (const [time, value] of points) {
    if (before !== undefined && time - before > 1.5 * step) line.push([(before + step) * 1000, null])
    line.push([time * 1000, Number.isFinite(value) ? Number(value.toPrecision(4)) : null])
    before = time
  }
  return line
}

function layOut(
  lines: readonly Line[],
  width: number
): { readonly entries: { x: number; y: number; line: Line; label: string }[]; readonly height: number } {
  const entries: { x: number; y: number; line: Line; label: string }[] = []
  let [x, y] = [0, 0]
  for (const line of lines) {
    const label = fit(line.name, LEGEND_SIZE, width - 20)
    const needed = 16 + widthOf(label, LEGEND_SIZE) + 14
    if (x > 0 && x + needed > width) [x, y] = [0, y + LEGEND_LINE]
    entries.push({ x, y, line, label })
    x += needed
  }
  return { entries, height: y + LEGEND_LINE }
}

function plot(panel: Panel, lines: readonly Line[], box: Box, times: ChartTimes): string {
  const defaults = defaultsOf(panel)
  const { custom = {} } = defaults
  const bars = custom.drawStyle === 'bars'
  const stacked = custom.stacking?.mode === 'normal'
  const unitOnRight = panel.fieldConfig?.overrides
    .flatMap(({ properties }) => properties)
    .find(({ id }) => id === 'unit')?.value as string | undefined
  const axis = (unit: string, position: 'left' | 'right'): object => ({
    type: custom.scaleDistribution?.type === 'log' && position === 'left' ? 'log' : 'value',
    position,
    ...(position === 'left' && defaults.min !== undefined ? { min: defaults.min } : {}),
    ...(position === 'left' && defaults.max !== undefined ? { max: defaults.max } : {}),
    splitNumber: 4,
    ...scaleOf(
      lines.filter(({ right }) => right === (position === 'right')),
      unit,
      position === 'left' ? defaults.max : undefined
    ),
    axisLabel: {
      color: colours['faint'],
      fontSize: 10.5,
      formatter: (value: number) => format(value, unit, axisDecimals(value, unit))
    },
    splitLine: { show: position === 'left', lineStyle: { color: colours['grid'] } }
  })
  const hasRight = lines.some(({ right }) => right)
  const limits =
    custom.thresholdsStyle?.mode === 'line' ? defaults.thresholds.steps.filter(({ value }) => value !== null) : []
  const option: EChartsOption = {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { fontFamily: 'inherit' },
    grid: { left: 58, right: hasRight ? 58 : 12, top: 10, bottom: 24 },
    xAxis: {
      type: 'time',
      min: times.from,
      max: times.to,
      splitNumber: 5,
      axisLine: { lineStyle: { color: colours['grid'] ?? '' } },
      axisLabel: { color: colours['faint'] ?? '', fontSize: 10.5, formatter: '{HH}:{mm}', hideOverlap: true },
      splitLine: { show: true, lineStyle: { color: colours['grid'] ?? '' } }
    },
    yAxis: [axis(defaults.unit, 'left'), axis(unitOnRight ?? 'short', 'right')],
    series: lines.map((line, index) => ({
      type: bars ? ('bar' as const) : ('line' as const),
      name: line.name,
      data: line.points.map(point => [...point]),
      yAxisIndex: line.right ? 1 : 0,
      symbol: 'none',
      step: custom.lineInterpolation === 'stepAfter' ? ('end' as const) : (false as const),
      lineStyle: { width: 1.4, color: line.colour },
      itemStyle: { color: line.colour },
      ...(bars ? { barWidth: 4 } : {}),
      ...(bars || !custom.fillOpacity || !line.filled
        ? {}
        : { areaStyle: { color: line.colour, opacity: custom.fillOpacity / 100 } }),
      ...(stacked && !line.right ? { stack: 'all', stackStrategy: 'all' as const } : {}),
      ...(index === 0 ? { markLine: marks(times.restarts, limits) } : {})
    }))
  }
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: box.width, height: box.height })
  try {
    chart.setOption(option)
    return embedded(chart.renderToSVGString(), box)
  } finally {
    chart.dispose()
  }
}

/** Ticks where the ones for decimal numbers would be odd: bytes, and shares of a whole. */
function scaleOf(lines: readonly Line[], unit: string, max: number | undefined): object {
  if (unit === 'percentunit' && max === 1) return { interval: 0.25 }
  if (unit !== 'bytes' && unit !== 'binBps') return {}
  const highest = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value ?? 0)), 1)
  const interval = 2 ** Math.ceil(Math.log2(highest / 4))
  return { interval, max: interval * Math.ceil(highest / interval) }
}

/** Ticks of times get one digit: no tick is where a minute is. */
function axisDecimals(value: number, unit: string): number | undefined {
  return unit === 's' && value >= 60 ? 1 : undefined
}

function marks(restarts: readonly number[], limits: FieldDefaults['thresholds']['steps']): object {
  return {
    symbol: 'none',
    silent: true,
    label: { show: false },
    data: [
      ...restarts.map(time => ({
        xAxis: time,
        lineStyle: { color: colours['orange'], type: 'dashed', opacity: 0.45 }
      })),
      ...limits.map(({ value, color }) => ({ yAxis: value, lineStyle: { color: colourOf(color), type: 'dashed' } }))
    ]
  }
}

/** A chart's SVG as a part of another. */
function embedded(svg: string, { x, y, width, height }: Box): string {
  const inside = svg.slice(svg.indexOf('>', svg.indexOf('<svg')) + 1, svg.lastIndexOf('</svg>'))
  const plain = inside.replace(
    /<rect width="\d+" height="\d+" x="0" y="0"[^>]*fill="(?:none|transparent)"[^>]*>(?:<\/rect>)?/,
    ''
  )
  const short = plain
    .replaceAll(/ d="([^"]*)"/g, (_all, d: string) => ` d="${compactPath(d)}"`)
    .replaceAll(/\d+\.\d{3,}/g, number => String(Math.round(Number(number) * 100) / 100))
  return `<svg x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}">${short}</svg>`
}
