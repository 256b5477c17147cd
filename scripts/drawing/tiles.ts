import type { Panel, Step } from '../../test/support/prometheus/dashboard.ts'
import type { Series } from '../../test/support/prometheus/prometheus.ts'
import { defaultsOf, drawSparkline } from './chart.ts'
import { colourOf, colours, fit, rectangle, text, widthOf, type Box } from './svg.ts'
import { format } from './units.ts'

type PanelAnswers = Readonly<Record<string, readonly Series[]>>

/** Draws a stat panel: one number, and a colour that says what to think of it. */
export function drawStat(panel: Panel, answers: PanelAnswers, box: Box): string {
  const defaults = defaultsOf(panel)
  const series = answers['A'] ?? []
  const value = series[0]?.points.at(-1)?.[1]
  const mapped = value === undefined ? undefined : defaults.mappings[0]?.options[String(value)]
  const shown =
    mapped?.text ??
    (value === undefined ? (defaults.noValue ?? 'No data') : format(value, defaults.unit, defaults.decimals))
  const step = mapped?.color ?? colourAt(defaults.thresholds.steps, value ?? 0)
  const background = (panel as unknown as { options: { colorMode: string } }).options.colorMode === 'background'
  const colour = colourOf(value === undefined ? 'faint' : step)
  const size = Math.min(box.height * 0.36, 44, (box.width - 16) / Math.max(1, widthOf(shown, 1)))
  const baseline = box.y + box.height * (background ? 0.5 : 0.42) + size * 0.36
  const sparkline = background
    ? ''
    : drawSparkline(series, colour === colours['text'] ? (colours['blue'] ?? '') : colour, {
        ...box,
        y: box.y + box.height * 0.62,
        height: box.height * 0.36
      })
  return (
    (background ? rectangle(box, colour, undefined, 3).replace('/>', ' fill-opacity="0.82"/>') : sparkline) +
    text(box.x + box.width / 2, baseline, shown, {
      size: Math.round(size),
      colour: background ? '#ffffff' : colour,
      bold: true,
      anchor: 'middle'
    })
  )
}

/** Draws a table panel as Grafana's transformations `merge` and `organize` make it of its queries. */
export function drawTable(panel: Panel, answers: PanelAnswers, box: Box): string {
  const { renameByName = {} } = (panel.transformations?.find(({ id }) => id === 'organize')?.options ?? {}) as {
    renameByName?: Record<string, string>
  }
  const keys = Object.keys(renameByName).filter(name => !name.startsWith('Value #'))
  const values = (panel.targets ?? []).map(({ refId }) => refId)
  const rows = merged(answers, keys, values)
  const titles = [...keys, ...values.map(refId => `Value #${refId}`)].map(name => renameByName[name] ?? name)
  const cells = rows.map(row => [
    ...keys.map(key => ({ shown: row.labels[key] ?? '', colour: colourOf('text') })),
    ...values.map((refId, index) => cell(panel, titles[keys.length + index] ?? '', row.values[refId]))
  ])
  const widths = titles.map((title, column) =>
    Math.max(...[title, ...cells.map(row => row[column]?.shown ?? '')].map(each => widthOf(each, 12.5) + 16))
  )
  const stretch = box.width / widths.reduce((sum, width) => sum + width, 0)
  const line = 24
  let x = box.x
  return titles
    .map((title, column) => {
      const width = (widths[column] ?? 0) * stretch
      const own = [
        text(x + 8, box.y + 16, title, { size: 12.5, colour: colourOf('blue'), bold: true }),
        ...cells.map((row, index) =>
          text(x + 8, box.y + 16 + line * (index + 1), fit(row[column]?.shown ?? '', 12.5, width - 10), {
            size: 12.5,
            colour: row[column]?.colour ?? ''
          })
        )
      ]
      x += width
      return own.join('')
    })
    .concat(
      rows.map((_row, index) =>
        rectangle({ x: box.x, y: box.y + 23 + line * index, width: box.width, height: 1 }, colourOf('grid'))
      )
    )
    .join('')
}

interface Row {
  readonly labels: Readonly<Record<string, string>>
  readonly values: Record<string, number>
}

function merged(answers: PanelAnswers, keys: readonly string[], values: readonly string[]): Row[] {
  const rows = new Map<string, Row>()
  for (const refId of values) {
    for (const { labels, points } of answers[refId] ?? []) {
      const key = keys.map(name => labels[name] ?? '').join('\n')
      const row = rows.get(key) ?? { labels, values: {} }
      row.values[refId] = points.at(-1)?.[1] ?? NaN
      rows.set(key, row)
    }
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

function cell(panel: Panel, title: string, value: number | undefined): { shown: string; colour: string } {
  if (value === undefined) return { shown: '', colour: '' }
  const properties = (panel.fieldConfig?.overrides ?? [])
    .filter(({ matcher }) => matcher.options === title)
    .flatMap(override => override.properties)
  const find = (id: string): unknown => properties.find(property => property.id === id)?.value
  const steps = (find('thresholds') as { steps: Step[] } | undefined)?.steps
  const unit = (find('unit') as string | undefined) ?? defaultsOf(panel).unit
  const decimals = find('decimals') as number | undefined
  return {
    shown: format(value, unit, decimals),
    colour: colourOf(steps === undefined ? 'text' : colourAt(steps, value))
  }
}

function colourAt(steps: readonly Step[], value: number): string {
  return steps.findLast(step => step.value === null || value >= step.value)?.color ?? 'text'
}
